import { describe, expect, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { DEFAULT_LOAD } from "./load-plan.ts";
import type { ScheduleStep } from "./schedule.ts";
import { parseSchedule } from "./schedule-schema.ts";
import { REGISTERED_KINDS } from "./schedules/kinds.ts";
import { TEST_KINDS, TEST_ENVIRONMENT, testSchedule } from "./schedules/testing/test-kinds.ts";

const parse = (text: string) => parseSchedule(text, "a.json", TEST_ENVIRONMENT, TEST_KINDS);

const KILL: ScheduleStep = {
  when: { trigger: "volume.claim-linked" },
  do: { fault: "pod.kill", pod: "held" },
};

function faultsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.split("\n").slice(1);
  }
  return [];
}

/** Parses steps of the registered kinds. */
function parseRegistered(...steps: readonly object[]) {
  const text = JSON.stringify({ ...testSchedule(), steps });
  return parseSchedule(text, "a.json", TEST_ENVIRONMENT, REGISTERED_KINDS);
}

/**
 * Parses a registered step of a schedule with that many replicas, at a broker with several nodes.
 */
function parseBeside(step: object, replicas: number) {
  const text = JSON.stringify({ ...testSchedule({ replicas }), steps: [step] });
  const abilities = new Set(["broker-nodes", "broker-connections"] as const);
  return parseSchedule(text, "a.json", { ...TEST_ENVIRONMENT, abilities }, REGISTERED_KINDS);
}

/** Returns what is wrong with a schedule with this first step, without the numbers of lines. */
function faultsOfStep(change: object, schedule: object = {}): string[] {
  const text = JSON.stringify({ ...testSchedule(), steps: [{ ...KILL, ...change }], ...schedule });
  return faultsOf(text).map((fault) => fault.replace(/^ {2}- line 1, /, ""));
}

describe("a schedule", () => {
  test("is what its JSON says", () => {
    const schedule = testSchedule();
    expect(parse(JSON.stringify({ $schema: "./s.json", ...schedule }, null, 2))).toEqual(schedule);
  });

  test("may begin with a byte order mark", () => {
    const schedule = testSchedule();
    expect(parse(`\uFEFF${JSON.stringify(schedule)}`)).toEqual(schedule);
  });

  test("may have a load that says only what differs, and no step", () => {
    const schedule = parse(
      JSON.stringify({ ...testSchedule({ steps: [] }), load: { poisonShare: 0 } }),
    );
    expect(schedule).toMatchObject({ steps: [], load: { ...DEFAULT_LOAD, poisonShare: 0 } });
  });

  test("is refused with everything that is wrong, each with its line", () => {
    const text = `{
  "version": 2, "seed": 1, "replicas": 2,
  "load": { "recordsMax": "many" },
  "speed": 1,
  "steps": [
    { "when": { "trigger": "volume.claim" },
      "do": { "fault": "pod.explode" } },
    { "when": { "trigger": "pod.started", "times": 2 }, "do": {} }
  ]
}`;
    expect(faultsOf(text)).toEqual([
      "  - line 2, version must be 1, got 2",
      "  - line 1, partitions is missing",
      '  - line 3, load.recordsMax must be number, got "many"',
      "  - line 8, steps[1].do.fault is missing",
      "  - line 4, speed is unknown, got 1",
      "  - line 6, steps[0].when.trigger is unknown (known: endpoint.request-held, volume.claim-linked, " +
        "broker.commit-held, broker.dead-letter-held, pod.started, pod.stopping, certificate.waited-for), got " +
        '"volume.claim"',
      "  - line 7, steps[0].do.fault is unknown (known: pod.kill, pod.delete, pod.freeze, broker.outage, " +
        'broker.rebalance, endpoint.failing, node.drain), got "pod.explode"',
      "  - line 8, steps[1].when.times is unknown (known: trigger, pod, ordinal, budgetMs), got 2",
    ]);
  });

  test.each([
    ["{", "a.json is not JSON: "],
    ["[]", "the schedule must be object, got []"],
    ["null", "the schedule must be object, got null"],
    ['{"version": 1, "version": 1}', 'line 1: the key "version" appears twice'],
    [`${"[".repeat(200)}${"]".repeat(200)}`, "must not be nested deeper than 64"],
    ["version: 1", "a.json is not JSON: "],
  ])("is not %s", (text, message) => {
    expect(() => parse(text)).toThrow(UsageError);
    expect(() => parse(text)).toThrow(message);
  });

  test.each<[string, object, object, string]>([
    [
      "a wrong value of a parameter",
      { do: { fault: "pod.freeze", clientsMax: 4 } },
      {},
      "steps[0].do.clientsMax must be <=3, got 4",
    ],
    [
      "a parameter that is missing",
      { do: { fault: "pod.freeze" } },
      {},
      "steps[0].do.clientsMax is missing",
    ],
    [
      "a parameter that the fault does not have",
      { do: { fault: "pod.kill", signal: 9 } },
      {},
      "steps[0].do.signal is unknown (known: fault, pod), got 9",
    ],
    [
      "an ordinal of the age above the replicas",
      { do: { fault: "pod.kill", pod: { nth: 3 } } },
      {},
      "steps[0].do.pod.nth must be at most replicas, which is 2, got 3",
    ],
    [
      "the same of a trigger",
      { when: { trigger: "volume.claim-linked", pod: { nth: 9 } } },
      {},
      "steps[0].when.pod.nth must be at most replicas, which is 2, got 9",
    ],
    [
      "another pod where there is one",
      { do: { fault: "pod.kill", pod: "other" } },
      { replicas: 1 },
      'steps[0].do.pod needs another pod, and replicas is 1, got "other"',
    ],
    [
      "a role that does not exist",
      { do: { fault: "pod.kill", pod: "leader" } },
      {},
      'steps[0].do.pod must be one of held, owner, other, oldest, newest, or {"nth": N} with N from 1 to 9, got ' +
        '"leader"',
    ],
    [
      "a held pod to wait for",
      { when: { trigger: "volume.claim-linked", pod: "held" } },
      {},
      'steps[0].when.pod must be one of owner, other, oldest, newest, or {"nth": N} with N from 1 to 9, got "held"',
    ],
    [
      "a pod of a fault of the deployment",
      { do: { fault: "broker.outage", pod: "owner" } },
      {},
      'steps[0].do.pod must be absent: broker.outage is a fault of the whole deployment, got "owner"',
    ],
    [
      "a moment that nothing causes",
      { when: { trigger: "pod.stopping" } },
      {},
      "steps[0].when.trigger cannot come: it requires stops, which neither the load nor an earlier step causes " +
        '(faults that do: pod.delete, node.drain), got "pod.stopping"',
    ],
    [
      "a moment that no fault causes",
      { when: { trigger: "certificate.waited-for" } },
      {},
      "steps[0].when.trigger cannot come: it requires certificates, which neither the load nor an earlier step " +
        'causes, got "certificate.waited-for"',
    ],
    [
      "dead letters without poison",
      { when: { trigger: "broker.dead-letter-held" } },
      { load: { poisonShare: 0 } },
      "steps[0].when.trigger cannot come: it requires dead-letters, which neither the load nor an earlier step " +
        'causes (faults that do: endpoint.failing), got "broker.dead-letter-held"',
    ],
    [
      "a fault that the place is not able to do",
      { do: { fault: "node.drain" } },
      {},
      "steps[0].do.fault cannot be injected: the target local with the broker embedded has no cluster-nodes: " +
        'several nodes, which can be drained and paused, got "node.drain"',
    ],
    [
      "an end of what does not last",
      { until: { elapsedMs: 1 } },
      {},
      "steps[0].until must be absent: pod.kill does not last, it is over when it has been injected, got " +
        '{"elapsedMs":1}',
    ],
    [
      "a budget that is no time",
      { when: { trigger: "volume.claim-linked", budgetMs: 0 } },
      {},
      "steps[0].when.budgetMs must be >=1, got 0",
    ],
    [
      "a load of repeats, reopenings and poison only",
      {},
      { steps: [], load: { repeatShare: 1, reopenShare: 0.5 } },
      "load repeatShare + reopenShare + poisonShare is 1.52 and must be at most 1, got " +
        '{"repeatShare":1,"reopenShare":0.5}',
    ],
  ])("is refused with %s", (_what, step, schedule, message) => {
    expect(faultsOfStep(step, schedule)).toEqual([message]);
  });

  test("is refused with a trigger of a broker that has no rules", () => {
    const text = JSON.stringify(testSchedule());
    const environment = { ...TEST_ENVIRONMENT, abilities: new Set(["container-access"] as const) };
    expect(() => parseSchedule(text, "a.json", environment, TEST_KINDS)).toThrow(
      "steps[2].when.trigger cannot come: the target local with the broker embedded has no fault-rules",
    );
  });

  test("can have the pod at which a near moment was seen", () => {
    const started: ScheduleStep = {
      when: { trigger: "pod.started" },
      do: { fault: "pod.kill", pod: "held" },
    };
    const text = JSON.stringify(testSchedule({ steps: [KILL, started] }));
    expect(parseSchedule(text, "a.json", TEST_ENVIRONMENT, TEST_KINDS).steps[1]).toEqual(started);
  });

  test("is refused with a fault that its replicas or the broker do not allow", () => {
    const when = { trigger: "endpoint.effect-held" };
    const scaled = { when, do: { fault: "deployment.scale", change: -1 } };
    expect(() => parseBeside(scaled, 2)).not.toThrow();
    expect(() => parseBeside(scaled, 1)).toThrow(
      "steps[0].do.change leaves no pod, since replicas is 1, got -1",
    );
    const errors = { fault: "broker.errors", api: "Fetch", error: "NOT_COORDINATOR", times: 1 };
    expect(() => parseBeside({ when, do: errors }, 2)).toThrow(
      "steps[0].do.error must be a transient error, of Fetch one of NOT_LEADER_OR_FOLLOWER, " +
        'UNKNOWN_TOPIC_OR_PARTITION, got "NOT_COORDINATOR"',
    );
    const killed = { when, do: { fault: "broker.node-killed", node: 4 } };
    expect(() => parseBeside(killed, 2)).toThrow("steps[0].do.node must be <=3, got 4");
  });

  test("is refused with a parameter that requires what nothing causes", () => {
    const listening = {
      when: { trigger: "log.event", event: "health.listening" },
      do: { fault: "pod.delete" },
    };
    expect(() => parseRegistered(listening)).toThrow(
      "steps[0].when.trigger cannot come: it requires starts, which neither the load nor an earlier step causes " +
        "(faults that do: pod.kill,",
    );
    const kill = {
      when: { trigger: "endpoint.effect-held" },
      do: { fault: "pod.kill", process: "container" },
    };
    expect(parseRegistered(kill, listening).steps).toHaveLength(2);
  });
});
