import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ContractFileChecker, ContractFileWatch } from "./check-contract-file.ts";
import { checkEffects } from "./check-effects.ts";
import { checkLogLines } from "./check-log-lines.ts";
import { readHistoryFiles } from "./history-files.ts";
import type { HistoryFiles } from "./history-files.ts";
import { checkOffsets } from "./check-offsets.ts";
import { checkSecrets } from "./check-secrets.ts";
import { checkTerminal } from "./check-terminal.ts";
import { checkWriteOnce } from "./check-write-once.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const claimPath = (key: string, attempt: number, kind: "claim" | "outcome"): string =>
  `claims/${key.slice(0, 2)}/${key}.${attempt}.${kind}`;
const ACTION = { rule: "restart-web", action: "open-ticket", incidentId: "i1" };

/**
 * Returns everything below `claims` from a table of paths of the volume. Values that are not
 * strings become JSON.
 */
function tree(files: Record<string, unknown>): Map<string, Buffer> {
  return new Map(
    Object.entries(files).map(([path, content]) => [
      path.replace(/^claims\//, ""),
      Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
    ]),
  );
}

const attempt = (key: string, number: number, outcome: string | null, more = {}) => ({
  [claimPath(key, number, "claim")]: { format: 1, key, ...ACTION, ...more },
  ...(outcome !== null && {
    [claimPath(key, number, "outcome")]: { format: 1, key, outcome },
  }),
});
const filesOf = (table: Record<string, unknown>): HistoryFiles => readHistoryFiles(tree(table));
const effect = (key: string | null, atMs = 1) => ({ key, atMs });

describe("effects", () => {
  test("one per key is right", () => {
    expect(checkEffects([effect("a"), effect("b")])).toEqual([]);
  });

  test("a second one is found, with both times", () => {
    expect(checkEffects([effect("a", 5), effect("b", 6), effect("a", 7)])).toEqual([
      "key a had 2 effects, at 5, 7",
    ]);
  });

  test("an effect without a key is found", () => {
    expect(checkEffects([effect(null)])).toEqual(["an effect at 1 has no idempotency key"]);
  });
});

const judgeTerminal = async (
  table: Record<string, unknown>,
  more: Partial<Parameters<typeof checkTerminal>[0]> = {},
) =>
  checkTerminal({
    expected: [ACTION],
    files: filesOf(table),
    effects: [],
    deadLetters: [],
    ...more,
  });

describe("terminal", () => {
  test("done after a claim is right", async () => {
    expect(await judgeTerminal(attempt(A, 1, "done"), { effects: [effect(A)] })).toEqual([]);
  });

  test("an attempt that was not applied may be followed by one that was", async () => {
    const table = { ...attempt(A, 1, "failed-not-applied"), ...attempt(A, 2, "done") };
    expect(await judgeTerminal(table)).toEqual([]);
  });

  test("an event that was lost is found", async () => {
    expect(await judgeTerminal({})).toEqual([
      'action ["restart-web","open-ticket","i1"] was never claimed',
    ]);
  });

  test("a stuck key is found", async () => {
    expect(await judgeTerminal(attempt(A, 1, null))).toEqual([
      `${claimPath(A, 1, "claim")} has no outcome`,
    ]);
  });

  test("an effect that was not claimed is found", async () => {
    expect(await judgeTerminal(attempt(A, 1, "done"), { effects: [effect(B)] })).toEqual([
      `key ${B} had an effect without a claim`,
    ]);
  });

  test("in doubt without a dead letter is found, with one it is right", async () => {
    const table = attempt(A, 1, "in-doubt");
    expect(await judgeTerminal(table)).toEqual([
      `${claimPath(A, 1, "outcome")} is in-doubt and not in the dead-letter topic`,
    ]);
    const deadLetters = [{ key: A, attempt: 1, reason: "in-doubt" }];
    expect(await judgeTerminal(table, { deadLetters })).toEqual([]);
  });

  test("the dead letter of another key does not count", async () => {
    const deadLetters = [{ key: B, attempt: 1, reason: "in-doubt" }];
    expect(await judgeTerminal(attempt(A, 1, "in-doubt"), { deadLetters })).toHaveLength(1);
  });

  test("an outcome without a claim, an unknown one and a torn file are found", async () => {
    const outcome = { [claimPath(A, 1, "outcome")]: { format: 1, key: A, outcome: "perhaps" } };
    expect(await judgeTerminal(outcome, { expected: [] })).toEqual([
      `${claimPath(A, 1, "outcome")} has no claim`,
      `${claimPath(A, 1, "outcome")}: unknown outcome perhaps`,
      expect.stringContaining("is perhaps and not in the dead-letter topic"),
    ]);
    const torn = { [claimPath(A, 1, "claim")]: '{"format":1,' };
    expect(await judgeTerminal(torn, { expected: [] })).toEqual([
      `${claimPath(A, 1, "claim")}: is not a JSON object`,
    ]);
  });

  test("a claim in the wrong directory and one of another format are found", async () => {
    const name = `${A}.1.claim`;
    const files = filesOf({
      [`claims/zz/${name}`]: { format: 1, key: A },
      [`claims/${name}.tmp`]: "",
      "claims/aa/.nfs0000000000000001": "",
      [`claims/aa/${A}.1.resolution`]: { format: 1, key: A },
      [`claims/00/${name}`]: { format: 2, key: A },
      [claimPath(A, 2, "claim")]: { format: 1, key: B },
    });
    expect(files.outcomes).toEqual([]);
    expect(files.strange).toEqual([
      `claims/zz/${name}: is the name of no claim and no outcome`,
      `claims/${name}.tmp: is the name of no claim and no outcome`,
      `claims/00/${name}: belongs into claims/${A.slice(0, 2)}`,
      `claims/00/${name}: format is 2, not 1`,
      `${claimPath(A, 2, "claim")}: is about key ${B}`,
    ]);
  });
});

describe("write once", () => {
  test("more files are right; a changed one and a vanished one are found", async () => {
    const before = filesOf({ ...attempt(A, 1, "done"), ...attempt(B, 1, null) });
    const more = { ...attempt(A, 1, "done"), ...attempt(B, 1, "done") };
    expect(checkWriteOnce(before, filesOf(more))).toEqual([]);
    const findings = checkWriteOnce(before, filesOf(attempt(A, 1, "in-doubt")));
    expect(findings).toEqual([
      `${claimPath(B, 1, "claim")} vanished`,
      expect.stringContaining(`${claimPath(A, 1, "outcome")} changed from`),
    ]);
  });
});

describe("offsets", () => {
  test("the end, and nothing where nothing was produced, is right", () => {
    expect(
      checkOffsets([
        { partition: 0, end: 4n, committed: 4n },
        { partition: 1, end: 0n, committed: null },
      ]),
    ).toEqual([]);
  });

  test("short of the end, never committed and past the end are found", () => {
    expect(
      checkOffsets([
        { partition: 0, end: 4n, committed: 3n },
        { partition: 1, end: 2n, committed: null },
        { partition: 2, end: 2n, committed: 3n },
      ]),
    ).toEqual([
      "partition 0: committed 3, short of the end 4",
      "partition 1: committed nothing, short of the end 2",
      "partition 2: committed 3, past the end 2",
    ]);
  });
});

const contractFile = (keys: string[], publishedAtMs = 9000): Buffer =>
  Buffer.from(
    JSON.stringify({
      format: 1,
      publishedAtMs,
      entries: Object.fromEntries(keys.map((key) => [key, { atMs: 1000 }])),
    }),
  );
const judgeLooks = (looks: (Buffer | undefined)[]): string[] => {
  const checker = new ContractFileChecker(500);
  for (const look of looks) checker.look(look);
  return checker.findings;
};

describe("the contract file", () => {
  test("absent at first and growing later is right", () => {
    expect(
      judgeLooks([undefined, contractFile([]), contractFile(["a"]), contractFile(["a", "b"])]),
    ).toEqual([]);
  });

  test("a torn file, an empty one, a lost key and a vanished file are found", () => {
    expect(judgeLooks([contractFile(["a"]).subarray(0, 20)])).toEqual([
      "automation_action_history.json does not parse (20 bytes) (look 1)",
    ]);
    expect(judgeLooks([Buffer.alloc(0)])).toHaveLength(1);
    expect(judgeLooks([contractFile(["a", "b"], 1010), contractFile(["b"], 9010)])).toEqual([
      "automation_action_history.json lost key a, 8000 ms after it was to be shown (look 2)",
    ]);
    expect(judgeLooks([contractFile([]), undefined])).toEqual([
      "automation_action_history.json vanished (look 1)",
    ]);
  });

  test("an entry within the freshness may go and come back, but not stay away", () => {
    const checker = new ContractFileChecker(500);
    checker.look(contractFile(["a", "b"], 1010));
    checker.look(contractFile(["b"], 1500));
    expect(checker.findings).toEqual([]);
    expect(checker.missing).toEqual(["a"]);
    checker.look(contractFile(["a", "b"], 1600));
    expect(checker.missing).toEqual([]);
    checker.look(contractFile(["a"], 1511));
    expect(checker.findings).toEqual([
      "automation_action_history.json lost key b, 501 ms after it was to be shown (look 4)",
    ]);
  });

  test("an entry that is journalled long after its end counts as new when it is first shown", () => {
    const checker = new ContractFileChecker(500);
    checker.look(contractFile(["a"], 7000));
    checker.look(contractFile([], 7500));
    expect(checker.findings).toEqual([]);
    checker.look(contractFile([], 7501));
    expect(checker.findings).toHaveLength(1);
  });

  test("wrong fields are found", () => {
    expect(judgeLooks([Buffer.from('{"format":2}')])).toEqual([
      "automation_action_history.json format is 2, not 1 (look 1)",
      "automation_action_history.json publishedAtMs is not a number (look 1)",
      "automation_action_history.json has no entries object (look 1)",
    ]);
  });

  test("the watch looks until it is stopped", async () => {
    const enough = Promise.withResolvers<void>();
    let looks = 0;
    const watch = new ContractFileWatch(
      async () => {
        looks += 1;
        if (looks === 3) enough.resolve();
        return looks === 2 ? Buffer.from("{") : contractFile([]);
      },
      { intervalMs: 1, freshnessMs: 500 },
    );
    await enough.promise;
    await watch[Symbol.asyncDispose]();
    expect(watch.checker.findings).toEqual([
      "automation_action_history.json does not parse (1 bytes) (look 2)",
    ]);
  });
});

describe("secrets", () => {
  test("are found plain, as base64 and inside JSON, in subdirectories; their values are not shown", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-secrets-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const password = 'pass"word-12345';
    await mkdir(join(directory, "logs"));
    await writeFile(join(directory, "clean.log"), "nothing here");
    await writeFile(join(directory, "logs", "plain.log"), `sasl ${password} sent`);
    await writeFile(join(directory, "a.json"), JSON.stringify({ password }));
    await writeFile(join(directory, "b.log"), Buffer.from(password).toString("base64"));
    const findings = await checkSecrets(directory, new Map([["scram", password]]));
    expect(findings.toSorted()).toEqual([
      `${join(directory, "a.json")} holds the secret scram`,
      `${join(directory, "b.log")} holds the secret scram`,
      `${join(directory, "logs", "plain.log")} holds the secret scram`,
    ]);
  });

  test("a private key is found by a line of its body", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-secrets-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const key = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\n${"B".repeat(64)}\n-----END PRIVATE KEY-----\n`;
    await writeFile(join(directory, "x.log"), `x ${"B".repeat(64)}`);
    await writeFile(join(directory, "y.log"), `x ${"A".repeat(64)}`);
    expect(await checkSecrets(directory, new Map([["key", key]]))).toHaveLength(1);
  });
});

describe("log lines", () => {
  test("a key that a line holds twice is found in every log, with file and line", async () => {
    const directory = await mkdtemp(join(tmpdir(), "log-lines-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await mkdir(join(directory, "logs"));
    const lines = ['{"pod":"a"}', "no JSON", '{"pod":"a","pod":"a"}', '{"pod":"b","pod":"b"}', ""];
    await writeFile(join(directory, "logs", "app.log"), lines.join("\n"));
    await writeFile(join(directory, "events.ndjson"), '{"a":{"b":1,"b":2}}\n');
    await writeFile(join(directory, "manifest.yaml"), '{"pod":"a","pod":"a"}\n');
    expect((await checkLogLines(directory)).toSorted()).toEqual([
      `${join(directory, "events.ndjson")}:1 holds the key b twice`,
      `${join(directory, "logs", "app.log")}:3 holds the key pod twice, and so do 1 more lines`,
    ]);
  });
});
