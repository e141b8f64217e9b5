import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runRules } from "#consumer/operations/rules/rules-command.ts";
import { createRulesDirectory } from "#consumer/operations/rules/testing/rules-directory.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../config/${name}`, import.meta.url));

async function expectations(kind: string, config: string) {
  const lines: string[] = [];
  const exitCode = await runRules(
    ["rules", "test", "--config", config, "--expect", pathOf(`${kind}-expectations.yaml`)],
    { environment: {}, print: (line) => void lines.push(line), stop: new AbortController().signal },
  );
  return { exitCode, text: lines.join("\n") };
}

describe.each(["development", "production"])("the %s configuration", (kind) => {
  test("makes of BigPanda's incidents what its expectations say", async () => {
    const { exitCode, text } = await expectations(kind, pathOf(`${kind}-config.yaml`));
    expect(text).toMatch(/^\d tests, 0 failed, 0 rules without a match$/);
    expect(exitCode).toBe(0);
  });

  test.each<[string, (content: string) => string, string]>([
    [
      "without rules",
      (content) => `${content.slice(0, content.indexOf("\nrules:"))}\nrules: []\n`,
      "expected restart-web / restart send, got unmatched",
    ],
    [
      "with a misspelt environment",
      (content) => content.replace(/environment: \[.*\]/, "environment: [prodution]"),
      "rule restart-web matches no incident of any test",
    ],
    [
      "with a template that has no default for the title",
      (content) => content.replaceAll(/ \| default "[^"]*"/g, ""),
      "got restart-web / restart rejected (rule restart-web, action restart, body is missing",
    ],
  ])("fails %s, with a message that names the rule", async (_name, change, message) => {
    await using directory = await createRulesDirectory();
    const content = await readFile(pathOf(`${kind}-config.yaml`), "utf8");
    const changed = change(content);
    expect(changed).not.toBe(content);
    const { exitCode, text } = await expectations(
      kind,
      await directory.write("changed.yaml", changed),
    );
    expect(exitCode).toBe(1);
    expect(text).toContain(message);
  });
});
