import { describe, expect, test } from "vitest";
import { COMMANDS } from "./command-help.ts";
import { runOperation } from "./command.ts";

async function helpOf(...argv: string[]) {
  const lines: string[] = [];
  const stop = new AbortController().signal;
  const context = { environment: {}, print: (line: string) => void lines.push(line), stop };
  return { exitCode: await runOperation(argv, context), text: lines.join("\n") };
}

describe("--help", () => {
  test.each(Object.keys(COMMANDS))(
    "%s says its usage, what it does and every option",
    async (command) => {
      const { exitCode, text } = await helpOf(...command.split(" "), "--help");
      expect(exitCode).toBe(0);
      expect(text).toContain(`usage: kafka_consumer ${command}`);
      for (const option of COMMANDS[command]?.options ?? []) {
        expect(text).toMatch(new RegExp(`\\n {2}--${option}[ A-Z]* \\S.{9,}`));
      }
    },
  );

  test.each(["history", "dead-letter"])("of the group %s says its commands", async (group) => {
    const { exitCode, text } = await helpOf(group, "--help");
    expect(exitCode).toBe(0);
    expect(text).toContain("kafka_consumer history resolve KEY");
  });
});
