import { describe, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { editorSchema } from "#fixtures/json-schema.ts";
import { expectationsSchema } from "./expectations.ts";
import { CRITICAL, createRulesDirectory, OK, RULE } from "./testing/rules-directory.ts";

function expectations(expected: unknown, change: object = {}): string {
  const name = "A web service that is down is restarted";
  return stringify({ version: 1, tests: [{ name, ...change, expect: expected }] });
}

describe("rules test --expect", () => {
  const RESTART = { rule: "restart-web", action: "restart" };
  const AS_IT_IS = [
    {
      incident: CRITICAL.id,
      status: "critical",
      actions: [{ ...RESTART, request: { method: "POST", body: { title: CRITICAL.title } } }],
    },
    { incident: CRITICAL.id, status: "ok" },
  ];

  test("exits with 0 when every record is as expected", async () => {
    await using directory = await createRulesDirectory({ incidents: [CRITICAL, OK] });
    const file = await directory.write("expect.yaml", expectations(AS_IT_IS));
    expect(await directory.test("--expect", file)).toMatchObject({
      exitCode: 0,
      lines: ["1 test, 0 failed, 0 rules without a match"],
    });
  });

  test.each<[string, unknown, string]>([
    [
      "an action that is missing",
      [
        {
          ...AS_IT_IS[0],
          actions: [...(AS_IT_IS[0]?.actions ?? []), { ...RESTART, action: "page" }],
        },
        AS_IT_IS[1],
      ],
      "expected restart-web / page send, got no further action",
    ],
    [
      "an action too many",
      [{ ...AS_IT_IS[0], actions: [], result: "unmatched" }, AS_IT_IS[1]],
      "expected no further action, got restart-web / restart send",
    ],
    [
      "another result",
      [{ ...AS_IT_IS[0], actions: [{ ...RESTART, result: "rejected" }] }, AS_IT_IS[1]],
      "expected restart-web / restart rejected, got restart-web / restart send",
    ],
    [
      "another body",
      [
        { ...AS_IT_IS[0], actions: [{ ...RESTART, request: { body: { title: "x" } } }] },
        AS_IT_IS[1],
      ],
      'expected body of restart-web / restart {"title":"x"}, got {"title":"Service web: 3 hosts not reachable"}',
    ],
    [
      "another incident",
      [{ incident: "other" }, AS_IT_IS[1]],
      `expected incident other, and the record is incident ${CRITICAL.id}`,
    ],
    ["a record too few", [AS_IT_IS[0]], `expected no record 2, got ${CRITICAL.id}`],
    [
      "a record too many",
      [...AS_IT_IS, AS_IT_IS[1]],
      "expected a record 3, and the input has ended",
    ],
  ])(
    "exits with 1 for %s, and names file, line, test and record",
    async (_name, expected, sentence) => {
      await using directory = await createRulesDirectory({ incidents: [CRITICAL, OK] });
      const file = await directory.write("expect.yaml", expectations(expected));
      const { exitCode, lines } = await directory.test("--expect", file);
      expect(exitCode).toBe(1);
      expect(lines[0]).toMatch(/^expect\.yaml:\d+: A web service that is down is restarted: /);
      expect(lines[0]).toContain(sentence);
    },
  );

  test("a rule that no test matches is a failure", async () => {
    const never = { ...RULE, name: "never", match: { environment: ["prodution"] } };
    await using directory = await createRulesDirectory({
      rules: [RULE, never],
      incidents: [CRITICAL, OK],
    });
    const file = await directory.write("expect.yaml", expectations(AS_IT_IS));
    const { exitCode, lines } = await directory.test("--expect", file);
    expect(exitCode).toBe(1);
    expect(lines).toContain("expect.yaml: rule never matches no incident of any test");
  });

  test("an empty list of rules fails", async () => {
    await using directory = await createRulesDirectory({ rules: [], incidents: [CRITICAL, OK] });
    const file = await directory.write("expect.yaml", expectations(AS_IT_IS));
    expect(await directory.test("--expect", file)).toMatchObject({
      exitCode: 1,
      lines: [
        expect.stringContaining("expected restart-web / restart send, got unmatched"),
        expect.anything(),
      ],
    });
  });

  test("reads incidents beside the file, and processes them at its time", async () => {
    await using directory = await createRulesDirectory();
    const change = { incidents: ["incidents.ndjson"], now: "2026-02-01T00:00:00Z" };
    const expected = [{ incident: CRITICAL.id, actions: [{ ...RESTART, result: "too-old" }] }];
    const file = await directory.write("expect.yaml", expectations(expected, change));
    const { exitCode } = await directory.run(
      "rules",
      "test",
      "--config",
      directory.config,
      "--expect",
      file,
    );
    expect(exitCode).toBe(0);
  });

  test("names every fault of an expectations file with its line", async () => {
    await using directory = await createRulesDirectory();
    const file = await directory.write(
      "expect.yaml",
      "version: 1\ntests:\n  - name: x\n    expects: []\n",
    );
    await expect(directory.test("--expect", file)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(
        /expect\.yaml is wrong:\n {2}- tests\.0\.expect \(line 3\): .*\n {2}- tests\.0 \(line 3\): unknown key "expects" \(did you mean "expect"\?\)/,
      ),
    });
  });
});

test("config/expectations.schema.json is the JSON Schema of the file, for editors", async () => {
  const file = fileURLToPath(new URL("../../../config/expectations.schema.json", import.meta.url));
  await expect(
    editorSchema(expectationsSchema, "What rules make of incidents"),
  ).toMatchFileSnapshot(file);
});
