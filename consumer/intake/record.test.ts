import { describe, expect, test } from "vitest";
import { createManualClock, createSeededRandom } from "#fixtures/ports/clock.ts";
import { knownEnds } from "#fixtures/consumer/execution.ts";
import { anIncident, asRecord, DEFAULT_FORMAT } from "#fixtures/incidents.ts";
import { fakeBroker } from "#fixtures/ports/in-memory-ports.ts";
import { decode } from "#consumer/planning/decode.ts";
import { match } from "#consumer/planning/plan.ts";
import type { SourceRecord } from "#consumer/ports.ts";
import { prepare } from "./record.ts";
import type { CommandRuleAction, Rule } from "#consumer/planning/rules.ts";
import { createRecordedLog, createRecordedMetrics } from "#fixtures/ports/observers.ts";

const COMMAND: CommandRuleAction = {
  name: "restart",
  type: "command",
  command: ["/bin/restart", "{{incident.tags.service}}"],
  idempotent: false,
  attemptsMax: 1,
};
/** Its template names a tag that the incident lacks. */
const UNFILLABLE: CommandRuleAction = {
  ...COMMAND,
  name: "page",
  command: ["/bin/page", "{{incident.tags.pager}}"],
};
const RULE: Rule = { name: "web", match: {}, actions: [COMMAND, UNFILLABLE] };
const PLAN = { mode: "live", actionDeadlineMs: 1000 } as const;
const RECORD = asRecord(anIncident());

/** Keys of the two actions. */
const [RESTART = "", PAGE = ""] = keysOf();

function keysOf(): string[] {
  const decoded = decode(RECORD, DEFAULT_FORMAT);
  if (decoded.kind !== "incident") throw new Error("the record has no incident");
  return match(decoded.incident, [RULE], PLAN).map(({ key }) => key);
}

const bench = (...done: readonly string[]) => benchRecord(RECORD, done);

function benchRecord(record: SourceRecord, done: readonly string[] = []) {
  const broker = fakeBroker();
  const metrics = createRecordedMetrics();
  const executed: string[] = [];
  const prepared = prepare(record, {
    async execute(planned) {
      const { action } = planned;
      executed.push("rejection" in planned ? `${action} is rejected` : action);
      return { outcome: "done", attempt: 1, endedBefore: false, reason: "200" };
    },
    history: knownEnds(...done),
    broker,
    clock: createManualClock(),
    random: createSeededRandom(1),
    log: createRecordedLog(),
    metrics,
    settings: {
      format: DEFAULT_FORMAT,
      rules: [RULE],
      plan: PLAN,
      clockSkewMsMax: 60_000,
      deadLetterTopic: "dead",
      retry: { delayMsMin: 1, delayMsMax: 1 },
    },
    stopping: new AbortController().signal,
  });
  const run = async (): Promise<void> => {
    const assignment = {
      topic: RECORD.topic,
      partition: 0,
      epoch: 1,
      signal: new AbortController().signal,
    };
    await prepared?.run({ assignment, halted: assignment.signal, release: () => undefined });
  };
  const letters = () => broker.published.map(({ headers }) => headers["action-key"]);
  return { prepared, run, executed, letters, metrics };
}

describe("a record", () => {
  test("whose actions are all done is terminal at once, though a template could not be filled any more", () => {
    const { prepared, metrics } = bench(RESTART, PAGE);
    expect(prepared).toBeUndefined();
    expect(metrics.total("records", { result: "matched" })).toBe(1);
    expect(metrics.total("actions", { result: "duplicate" })).toBe(2);
  });

  test("with one action left runs that one alone", async () => {
    const { run, executed, letters, metrics } = bench(PAGE);
    await run();
    expect(executed).toEqual(["restart"]);
    expect(letters()).toEqual([]);
    expect(metrics.total("actions", { result: "duplicate" })).toBe(1);
  });

  test("of which nothing is known runs all, in the order of the rules", async () => {
    const { prepared, run, executed } = bench();
    expect(prepared?.lane).toBe(anIncident().id);
    await run();
    expect(executed).toEqual(["restart", "page is rejected"]);
  });

  test("with an odd tag that no rule names is worked on without it, and that is counted", async () => {
    const tags = { service: ["web"], junk: "x".repeat(70_000) };
    const { run, executed, metrics } = benchRecord(asRecord(anIncident({ tags })));
    await run();
    expect(executed).toEqual(["restart", "page is rejected"]);
    expect(metrics.total("tags_dropped", { rule: "too-long" })).toBe(1);
  });

  test("with an odd tag that a template names is undecodable", async () => {
    const tags = { service: ["web"], pager: "x".repeat(70_000) };
    const { run, executed, metrics, letters } = benchRecord(asRecord(anIncident({ tags })));
    await run();
    expect(executed).toEqual([]);
    expect(letters()).toEqual([undefined]);
    expect(metrics.total("records", { result: "undecodable" })).toBe(1);
    expect(metrics.total("tags_dropped")).toBe(0);
  });
});
