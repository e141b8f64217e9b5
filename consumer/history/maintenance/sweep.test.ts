import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { EXECUTOR_SETTINGS, plannedAction, plannedPath } from "#fixtures/consumer/execution.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import type { Intercept } from "#fixtures/ports/files.ts";
import { createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import type { Claim, Outcome } from "#consumer/history/claims/claims.ts";
import { historyEntry } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";

const { key, rule, action, incident } = plannedAction();
const { eventAgeMsMax, orphanWaitMs } = EXECUTOR_SETTINGS;
const clockSkewMsMax = 60_000;
const HOUR_MS = 3_600_000;
const QUIET = { publishIntervalMs: 100 * HOUR_MS, probeIntervalMs: 100 * HOUR_MS };
const NEVER = new AbortController().signal;

const CLAIM: Claim = {
  key,
  attempt: 1,
  nonce: "n",
  pod: "dead",
  rule,
  action,
  incidentId: incident.id,
  transition: incident.transition,
  startedOnMs: incident.startedOnMs,
  topic: "incidents",
  partition: 3,
  offset: "42",
  claimedAtMs: incident.startedOnMs,
};

function outcome(fields: Partial<Outcome> = {}): Outcome {
  const end = { key, attempt: 1, nonce: "n", pod: "dead", outcome: "done", detail: "200" } as const;
  return { ...end, reason: "sent", atMs: incident.startedOnMs + 1000, ...fields };
}

function entryOf(end: Outcome, acknowledged: boolean): HistoryEntry {
  return historyEntry({ rule, action, incident }, end, acknowledged);
}

/** One pod that sweeps on demand, with its clock `ageMs` after the start of the incident. */
async function sweeping(
  options: {
    ageMs?: number;
    intercept?: Intercept;
    keysMax?: number;
    skewMs?: number;
    snapshotEntriesMin?: number;
  } = {},
) {
  const testBed = createHistoryTestBed();
  const { clock, volume } = testBed;
  const start = incident.startedOnMs - clock.wallMs();
  const pod = await testBed.open({ ...QUIET, ...(options.intercept && options) });
  const published: { claim: Claim; end: Outcome }[] = [];
  let refuse = false;
  const stopping = new AbortController();
  const sweep = pod.history.startSweeping({
    settings: {
      eventAgeMsMax,
      clockSkewMsMax,
      orphanWaitMs,
      intervalMs: 1000 * HOUR_MS,
      keysMax: options.keysMax ?? 1000,
      ...(options.snapshotEntriesMin !== undefined && {
        snapshotEntriesMin: options.snapshotEntriesMin,
      }),
    },
    async publish(claim, end) {
      if (refuse) throw new Error("no broker");
      published.push({ claim, end });
    },
    stopping: stopping.signal,
  });
  return {
    ...testBed,
    ...pod,
    published,
    stopping,
    refuse: (value: boolean) => {
      refuse = value;
    },
    toAge: (ageMs: number) => clock.advance(start + ageMs - clock.monotonicMs()),
    /** Runs as many rounds as all shards take, starting in the middle of one. */
    async sweep() {
      for (let round = 0; round < 17; round += 1) await clock.runUntil(sweep.round());
    },
    round: () => sweep.round(),
    files: () => volume.paths().filter((path) => path.startsWith("claims/")),
  };
}

const OVER_MS = eventAgeMsMax + clockSkewMsMax;

test("a claim with its done is deleted when no pod can begin it any more, and not a moment before", async () => {
  await using pod = await sweeping();
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome());
  await pod.toAge(OVER_MS);
  await pod.sweep();
  expect(pod.files()).toHaveLength(2);
  await pod.toAge(OVER_MS + 1);
  await pod.sweep();
  expect(pod.files()).toEqual([]);
  expect(pod.published).toEqual([]);
});

test("an end that did not go well gets its dead letter before it is deleted, and its entry after that", async () => {
  await using pod = await sweeping();
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome({ outcome: "rejected", detail: "404" }));
  await pod.toAge(OVER_MS + 1);
  pod.refuse(true);
  await expect(pod.sweep()).rejects.toThrow("no broker");
  expect(pod.files()).toHaveLength(2);
  expect(pod.history.lookup(key)).toBeUndefined();
  pod.refuse(false);
  await pod.sweep();
  expect(pod.published).toMatchObject([{ claim: CLAIM, end: { outcome: "rejected" } }]);
  expect(pod.history.lookup(key)).toMatchObject({ outcome: "rejected" });
  expect(pod.files()).toEqual([]);
});

test("a dead letter that the journal knows to be out is not published again", async () => {
  await using pod = await sweeping();
  const end = outcome({ outcome: "in-doubt" });
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(end);
  await pod.record(entryOf(end, true));
  await pod.toAge(OVER_MS + 1);
  await pod.sweep();
  expect(pod.published).toEqual([]);
  expect(pod.files()).toEqual([]);
});

test("a journalled end whose dead letter is not out does not count as complete", async () => {
  await using pod = await sweeping();
  const end = outcome({ outcome: "in-doubt" });
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(end);
  await pod.record(entryOf(end, false));
  await pod.toAge(OVER_MS + 1);
  await pod.sweep();
  expect(pod.published).toHaveLength(1);
});

test("an old claim without outcome becomes in doubt, is then dead-lettered, and then deleted", async () => {
  await using pod = await sweeping();
  await pod.history.claims.linkClaim(CLAIM);
  await pod.toAge(OVER_MS + orphanWaitMs);
  await pod.sweep();
  expect(pod.files()).toHaveLength(1);
  await pod.toAge(OVER_MS + orphanWaitMs + 1);
  await pod.sweep();
  expect(JSON.parse(pod.volume.text(plannedPath("outcome")))).toMatchObject({
    outcome: "in-doubt",
    reason: "orphaned",
  });
  expect(pod.published).toMatchObject([{ end: { outcome: "in-doubt" } }]);
  expect(pod.files()).toHaveLength(2);
  await pod.clock.advance(orphanWaitMs + clockSkewMsMax + 1);
  await pod.sweep();
  expect(pod.files()).toEqual([]);
  expect(pod.published).toHaveLength(1);
});

test("the last attempt is the end of the key, whatever came before", async () => {
  await using pod = await sweeping();
  const { claims } = pod.history;
  await claims.linkClaim(CLAIM);
  await claims.linkOutcome(outcome({ outcome: "failed-not-applied" }));
  await claims.linkClaim({ ...CLAIM, attempt: 2 });
  await claims.linkOutcome(outcome({ attempt: 2 }));
  await pod.toAge(OVER_MS + 1);
  await pod.sweep();
  expect(pod.published).toEqual([]);
  expect(pod.files()).toEqual([]);
});

test("claims go before outcomes, and durably: a deletion that breaks off brings no in-doubt about", async () => {
  const fault = failing({ operation: "unlink", path: /\.outcome$/, phase: "before" }, "EIO");
  await using pod = await sweeping({ intercept: fault.intercept });
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome({ outcome: "rejected" }));
  await pod.history.claims.sync(key);
  await pod.record(entryOf(outcome({ outcome: "rejected" }), true));
  await pod.toAge(OVER_MS + 1);
  await expect(pod.sweep()).rejects.toThrow("EIO");
  pod.volume.losePower();
  expect(pod.files()).toEqual([plannedPath("outcome")]);
  await pod.toAge(OVER_MS + 2000);
  await pod.sweep();
  expect(pod.files()).toEqual([]);
  expect(pod.published).toEqual([]);
});

test("what an operator said about a key goes with it", async () => {
  await using pod = await sweeping();
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome());
  pod.volume.put(plannedPath("outcome").replace(".outcome", ".resolution"), "{}");
  await pod.toAge(OVER_MS + 1);
  await pod.sweep();
  expect(pod.files()).toEqual([]);
});

test("a claim of a newer version is left alone", async () => {
  await using pod = await sweeping();
  pod.volume.put(plannedPath("claim"), JSON.stringify({ format: 2, ...CLAIM }));
  await pod.toAge(OVER_MS + orphanWaitMs + HOUR_MS);
  await pod.sweep();
  expect(pod.files()).toEqual([plannedPath("claim")]);
  expect(pod.published).toEqual([]);
  expect(pod.log.events()).toContain("history.sweep.unreadable");
});

test("young keys that the index knows cost no operation, and a round is bounded", async () => {
  let reads = 0;
  await using pod = await sweeping({
    keysMax: 3,
    intercept({ operation, path, phase }) {
      if (operation === "read" && phase === "before" && path.startsWith("claims/")) reads += 1;
    },
  });
  const keys = Array.from({ length: 10 }, (_, index) => `${key.slice(0, 62)}0${index}`);
  for (const one of keys) await pod.history.claims.linkClaim({ ...CLAIM, key: one });
  await pod.record(entryOf(outcome({ key: keys[0] ?? "" }), false));
  let fullest = 0;
  for (let round = 0; round < 32; round += 1) {
    const before = reads;
    await pod.round();
    fullest = Math.max(fullest, reads - before);
  }
  // The claim of each key says that it is young.
  expect(fullest).toBe(3);
  expect(reads).toBeGreaterThanOrEqual(9);
  for (const one of keys) await pod.record(entryOf(outcome({ key: one }), false));
  const before = reads;
  await pod.sweep();
  expect(reads).toBe(before);
});

test("temporary files that this process has seen for an hour are removed, fresh ones are not", async () => {
  await using pod = await sweeping();
  pod.volume.put("temporary/dead-1.7", "half");
  await pod.round();
  await pod.clock.advance(HOUR_MS);
  pod.volume.put("temporary/live-1.8", "half");
  await pod.clock.advance(1);
  await pod.round();
  expect(pod.filesOf("temporary")).toEqual(["temporary/live-1.8"]);
});

test("many new entries are compacted by a round, few sealed ones after an hour", async () => {
  await using pod = await sweeping();
  const other = await pod.open(QUIET);
  await other.record(entryOf(outcome(), false));
  await other.history.close();
  await pod.round();
  expect(pod.filesOf("snapshot")).toEqual([]);
  await pod.clock.advance(HOUR_MS + 1);
  await pod.round();
  expect(pod.filesOf("snapshot")).toEqual(["snapshot/1"]);
  expect(pod.filesOf("journal")).toEqual([]);
  const many = Array.from({ length: 1000 }, (_, index) => {
    const name = index.toString(16).padStart(64, "0");
    return pod.history.record(entryOf(outcome({ key: name }), false), NEVER);
  });
  await pod.clock.runUntil(Promise.all(many));
  await pod.round();
  expect(pod.filesOf("snapshot")).toEqual(["snapshot/1", "snapshot/2"]);
});

test("a pod that was idle for an hour seals its journal: a live one never looks dead", async () => {
  await using pod = await sweeping();
  await pod.record(entryOf(outcome(), false));
  const [path = ""] = pod.filesOf("journal");
  await pod.clock.advance(HOUR_MS);
  await pod.round();
  expect(pod.volume.text(path)).not.toContain('{"kind":"seal"}');
  await pod.clock.advance(1);
  await pod.round();
  // Sealed, and so compacted at once.
  expect(pod.filesOf("journal")).toEqual([]);
  expect(pod.filesOf("snapshot")).toEqual(["snapshot/1"]);
});

test("it begins by itself, goes on after a fault, and ends with close", async () => {
  const clock = createManualClock();
  const testBed = createHistoryTestBed({ clock });
  let lists = 0;
  const fault = failing({ operation: "list", path: /^temporary/, phase: "before" }, "EIO");
  let opened = false;
  const pod = await testBed.open({
    ...QUIET,
    async intercept(call) {
      if (!opened) return;
      if (call.operation === "list" && call.path === "temporary") lists += 1;
      await fault.intercept(call);
    },
  });
  opened = true;
  pod.history.startSweeping({
    settings: { eventAgeMsMax, clockSkewMsMax, orphanWaitMs, intervalMs: 1000 },
    publish: () => Promise.reject(new Error("no broker")),
    stopping: NEVER,
  });
  await clock.advance(20_000);
  expect(fault.fired()).toBe(1);
  expect(pod.log.events()).toContain("history.sweep.failed");
  expect(lists).toBeGreaterThan(10);
  await clock.runUntil(pod.history.close());
  const after = lists;
  await clock.advance(20_000);
  expect(lists).toBe(after);
});

test.each([{ found: "nothing" }, { found: "an in-doubt of a pod that slept" }])(
  "what another pod sweeps between two reads has no second dead letter: $found",
  async ({ found }) => {
    let sweepsOther = false;
    const testBed: { current?: Awaited<ReturnType<typeof sweeping>> } = {};
    await using pod = await sweeping({
      async intercept({ operation, path, phase }) {
        if (!sweepsOther || operation !== "read" || phase !== "after") return;
        if (path !== plannedPath("claim")) return;
        sweepsOther = false;
        const files = testBed.current?.volume.mount();
        await files?.unlink(plannedPath("claim"));
        await files?.unlink(plannedPath("outcome"));
        if (found === "nothing") return;
        const doubt = outcome({ nonce: "another", outcome: "in-doubt", reason: "orphaned" });
        await testBed.current?.history.claims.linkOutcome(doubt);
      },
    });
    testBed.current = pod;
    await pod.history.claims.linkClaim(CLAIM);
    await pod.history.claims.linkOutcome(outcome({ outcome: "rejected", detail: "404" }));
    await pod.toAge(OVER_MS + orphanWaitMs + 1);
    sweepsOther = true;
    await pod.sweep();
    expect(sweepsOther).toBe(false);
    expect(pod.published).toEqual([]);
    expect(pod.history.lookup(key)).toBeUndefined();
    // The end without a claim goes once it is old itself.
    await pod.toAge(2 * (OVER_MS + orphanWaitMs + 1));
    await pod.sweep();
    expect(pod.files()).toEqual([]);
    expect(pod.published).toEqual([]);
  },
);

test("an attempt that begins in the last moment, while the sweep looks at the key, is the end of it", async () => {
  let begins = false;
  const testBed: { current?: Awaited<ReturnType<typeof sweeping>> } = {};
  await using pod = await sweeping({
    async intercept({ operation, path, phase }) {
      if (!begins || operation !== "read" || path !== plannedPath("claim")) return;
      if (phase !== "before") return;
      begins = false;
      await testBed.current?.history.claims.linkClaim({ ...CLAIM, attempt: 2 });
      await testBed.current?.history.claims.linkOutcome(outcome({ attempt: 2 }));
      await testBed.current?.toAge(OVER_MS + 1);
    },
  });
  testBed.current = pod;
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome({ outcome: "failed-not-applied" }));
  await pod.toAge(OVER_MS);
  begins = true;
  await pod.sweep();
  expect(begins).toBe(false);
  expect(pod.published).toEqual([]);
  expect(pod.history.lookup(key)).toMatchObject({ attempt: 2, outcome: "done" });
});

test("a claim that is listed and cannot be found is not taken for one that was deleted", async () => {
  const hidden = failing({ operation: "read", path: /\.claim$/, phase: "before" }, "ENOENT");
  await using pod = await sweeping({ intercept: hidden.intercept });
  await pod.history.claims.linkClaim(CLAIM);
  await pod.history.claims.linkOutcome(outcome({ outcome: "rejected", detail: "404" }));
  await pod.toAge(2 * OVER_MS);
  await pod.sweep();
  expect(hidden.fired()).toBe(1);
  await pod.sweep();
  expect(pod.published).toMatchObject([{ end: { outcome: "rejected" } }]);
});

test("nothing is deleted before every pod knows the horizon; an attempt begun until then keeps its key", async () => {
  await using pod = await sweeping();
  const { claims } = pod.history;
  const begun = { ...CLAIM, attempt: 2 };
  const other = `${key.slice(0, 62)}00`;
  for (const one of [key, other]) {
    const end = outcome({ key: one, outcome: "failed-not-applied" });
    await claims.linkClaim({ ...CLAIM, key: one });
    await claims.linkOutcome(end);
    await pod.record(entryOf(end, true));
  }
  await pod.toAge(OVER_MS + 1);
  const swept = (async () => {
    for (let round = 0; round < 17; round += 1) await pod.round();
  })();
  const horizon = () =>
    pod.filesOf("control/horizon").map((path) => JSON.parse(pod.volume.text(path)).startedOnMs);
  while (!horizon().includes(incident.startedOnMs)) await pod.clock.advance(1000);
  await pod.clock.advance(130_000);
  expect(pod.files()).toHaveLength(4);
  await claims.linkClaim(begun);
  await pod.clock.runUntil(swept);
  expect(pod.files()).toEqual([
    plannedPath("claim"),
    plannedPath("outcome"),
    plannedPath("claim", 2),
    plannedPath("outcome", 2),
  ]);
  expect(pod.published).toMatchObject([{ claim: begun, end: { outcome: "in-doubt" } }]);
});

test("as few new entries as the settings say are compacted by a round", async () => {
  await using pod = await sweeping({ snapshotEntriesMin: 2 });
  await pod.record(entryOf(outcome(), false));
  await pod.round();
  expect(pod.filesOf("snapshot")).toEqual([]);
  await pod.record(entryOf(outcome({ key: "1".repeat(64) }), false));
  await pod.round();
  expect(pod.filesOf("snapshot")).toEqual(["snapshot/1"]);
});
