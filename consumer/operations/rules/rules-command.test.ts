import { describe, expect, test } from "vitest";
import { hasCode } from "#consumer/errors.ts";
import { CRITICAL, createRulesDirectory, RULE } from "./testing/rules-directory.ts";

describe("rules explain", () => {
  test("says for each rule whether it matches, and what does not hold", async () => {
    const canary = {
      ...RULE,
      name: "canary",
      match: { not: { tags: { service: { glob: "w*" } } } },
    };
    const staging = { ...RULE, name: "staging", match: { environment: ["staging"] } };
    await using directory = await createRulesDirectory({ rules: [RULE, canary, staging] });
    const { text } = await directory.run(
      "rules",
      "explain",
      "--config",
      directory.config,
      "--incident",
      directory.file,
    );
    expect(text).toBe(`incidents.ndjson:1  ${CRITICAL.id} critical
  restart-web matches: {"status":["critical"]}
  canary does not match: match.not {"tags":{"service":{"glob":"w*"}}}
  staging does not match: match.environment ["staging"]; the incident has "production"`);
  });
});

describe("check", () => {
  test("says that a configuration is valid, and throws every fault of one that is not", async () => {
    await using directory = await createRulesDirectory();
    expect((await directory.run("check", "--config", directory.config)).lines).toEqual([
      "config.yaml is valid: 1 rule, 1 action, mode live",
    ]);
    const bad = await directory.writeConfig("bad.yaml", [{ ...RULE, match: { statuss: ["x"] } }]);
    await expect(directory.run("check", "--config", bad)).rejects.toSatisfy((error) =>
      hasCode(error, "bad-configuration"),
    );
  });
});

describe("the command line", () => {
  test.each<[string, readonly string[], string]>([
    ["an unknown command", ["rules", "tset"], 'there is no command "rules tset"'],
    ["no configuration", ["rules", "test"], "--config is required"],
    ["no incidents", ["rules", "test", "--config", "CONFIG"], "--incidents is required"],
    [
      "an option of another command",
      ["check", "--config", "CONFIG", "--json"],
      "check has no option --json",
    ],
    [
      "the plural of an option",
      ["rules", "explain", "--config", "CONFIG", "--incidents", "FILE"],
      "rules explain has no option --incidents; --incident is meant",
    ],
    [
      "the singular of an option",
      ["rules", "test", "--config", "CONFIG", "--incident", "FILE"],
      "rules test has no option --incident; --incidents is meant",
    ],
    [
      "a time without a zone",
      ["rules", "test", "--config", "CONFIG", "--incidents", "FILE", "--now", "2026-01-01"],
      "--now must be ISO 8601 with a zone",
    ],
    [
      "a file that is not there",
      ["rules", "test", "--config", "CONFIG", "--incidents", "/nowhere.json"],
      "--incidents /nowhere.json: ENOENT",
    ],
    [
      "an empty file",
      ["rules", "test", "--config", "CONFIG", "--incidents", "EMPTY"],
      "the file is empty",
    ],
  ])("%s is refused", async (_name, argv, message) => {
    await using directory = await createRulesDirectory();
    const empty = await directory.write("empty.json", "\n");
    const named: Readonly<Record<string, string>> = {
      CONFIG: directory.config,
      FILE: directory.file,
      EMPTY: empty,
    };
    const given = argv.map((each) => named[each] ?? each);
    await expect(directory.run(...given)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
    });
  });

  test.each([["check"], ["rules", "test"], ["rules", "explain"]])(
    "%s %s has a help",
    async (...command) => {
      await using directory = await createRulesDirectory();
      const { exitCode, text } = await directory.run(...command, "--help");
      expect(exitCode).toBe(0);
      expect(text).toContain(`usage: kafka_consumer ${command.join(" ")}`);
    },
  );
});
