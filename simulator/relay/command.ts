import type { Command } from "#simulator/process/command.ts";
import { integerOption, textOption } from "#simulator/process/command.ts";
import { startRelay } from "./relay.ts";

/** The command that runs the relay in a cluster, for servers outside of it. */
export const command: Command = {
  name: "relay",
  summary: "opens ports for servers that are at the other end of a tunnel",
  options: { port: { type: "string" }, host: { type: "string" } },
  async start(values) {
    const relay = await startRelay({
      port: integerOption(values, "port", 0),
      ...(values.host !== undefined && { host: textOption(values, "host") }),
    });
    return {
      listening: { port: relay.port },
      [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
    };
  },
};
