import type { Command } from "#simulator/process/command.ts";
import { integerOption, textOption, textsOption } from "#simulator/process/command.ts";
import { raceForClaims } from "./claim-race.ts";

/** The command that runs a claim race in pods on several nodes that share a volume. */
export const command: Command = {
  name: "claim-race",
  summary: "races with others for the same claims on a volume, and prints which it won",
  options: {
    directory: { type: "string" },
    racer: { type: "string" },
    against: { type: "string", multiple: true },
    keys: { type: "string" },
  },
  async start(values) {
    const racer = textOption(values, "racer");
    const racing = raceForClaims({
      directory: textOption(values, "directory"),
      racer,
      racers: [racer, ...textsOption(values, "against")],
      keys: integerOption(values, "keys", 10_000),
    });
    const ended = racing.then((result) => {
      process.stdout.write(`${JSON.stringify(result)}\n`);
      return 0;
    });
    return { listening: {}, ended, [Symbol.asyncDispose]: async () => {} };
  },
};
