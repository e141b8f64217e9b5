import { expect, test } from "vitest";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import { encodeFrame, encodeJournalHeader } from "./journal/frames.ts";

const PUBLISHED = "automation_action_history.json";
const NEVER = new AbortController().signal;

// ---------------------------------------------------------------------------------------------- recovery

test("what one process recorded, the next one knows, after a crash as after a stop", async () => {
  const { open, volume } = createHistoryTestBed();
  const crashed = await open();
  await crashed.record(anEntry("one"));
  await using stopped = await open();
  await stopped.record(anEntry("two"));
  await stopped.history.close();
  volume.losePower();
  await using next = await open();
  expect(next.history.lookup(anEntry("one").key)).toEqual(anEntry("one"));
  expect(next.history.lookup(anEntry("two").key)).toEqual(anEntry("two"));
  await crashed.history.close();
});

test("a torn tail loses nothing in front of it and raises no alarm", async () => {
  const { open, volume, clock } = createHistoryTestBed();
  const bytes = Buffer.concat([
    encodeJournalHeader(1),
    encodeFrame({ kind: "entry", ...anEntry("one") }),
    encodeFrame({ kind: "entry", ...anEntry("two") }).subarray(0, 20),
  ]);
  volume.put("journal/dead.log", bytes);
  await using next = await open();
  await clock.advance(10_000);
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  expect(next.history.lookup(anEntry("two").key)).toBeUndefined();
  expect(next.log.events()).not.toContain("history.journal.damaged");
});

test("a corrupt record inside a file raises an alarm, and what is behind it is read", async () => {
  const { open, volume, clock } = createHistoryTestBed();
  const corrupt = encodeFrame({ kind: "entry", ...anEntry("two") });
  corrupt[30] = 0;
  const bytes = Buffer.concat([
    encodeJournalHeader(1),
    encodeFrame({ kind: "entry", ...anEntry("one") }),
    corrupt,
    encodeFrame({ kind: "entry", ...anEntry("three") }),
  ]);
  volume.put("journal/dead.log", bytes);
  await using next = await open();
  await clock.advance(2000);
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  expect(next.history.lookup(anEntry("three").key)).toBeDefined();
  expect(next.history.lookup(anEntry("two").key)).toBeUndefined();
  expect(next.log.lines).toContainEqual({
    level: "error",
    event: "history.journal.damaged",
    fields: expect.objectContaining({ path: "journal/dead.log" }),
  });
  expect(next.metrics.total("storage_errors", { code: "corrupt-record" })).toBe(1);
});

test("a hole that a writer's pages fill in a moment later is no damage", async () => {
  const { open, volume, clock } = createHistoryTestBed();
  const whole = Buffer.concat([
    encodeJournalHeader(1),
    encodeFrame({ kind: "entry", ...anEntry("one") }),
    encodeFrame({ kind: "entry", ...anEntry("two") }),
  ]);
  const holed = Buffer.from(whole);
  holed.fill(0, 8, 40);
  volume.put("journal/live.log", holed);
  await using next = await open();
  volume.put("journal/live.log", whole);
  await clock.advance(3000);
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  expect(next.history.lookup(anEntry("two").key)).toBeDefined();
  expect(next.log.events()).not.toContain("history.journal.damaged");
});

test("a journal of a newer format is refused, naming file and version", async () => {
  const { open, volume } = createHistoryTestBed();
  volume.put("journal/new.log", encodeJournalHeader(2));
  await expect(open()).rejects.toMatchObject({
    code: "history-unreadable",
    message: expect.stringMatching(/journal\/new\.log: format 2.*reads format 1.*newer/),
  });
});

test("a file that is no journal raises an alarm and stops nobody", async () => {
  const { open, volume } = createHistoryTestBed();
  volume.put("journal/foreign.log", "something else altogether");
  await using next = await open();
  expect(next.log.events()).toContain("history.journal.damaged");
});

test("a directory that is no mount is refused when a mount is required, and only then", async () => {
  const { open } = createHistoryTestBed({ isMount: false });
  await expect(open()).rejects.toMatchObject({ code: "history-not-mounted" });
  await using lenient = await open({ requireMount: false });
  expect(lenient.history.state).toEqual({ ready: true });
});

test.each([
  ["full", "ENOSPC"],
  ["read-only", "EROFS"],
])("a %s volume is a clear error, and may be tried again", async (_name, code) => {
  const { open } = createHistoryTestBed();
  const fault = failing({ operation: "createExclusive", path: /./, phase: "before" }, code);
  await expect(open({ intercept: fault.intercept })).rejects.toMatchObject({
    code: "history-unavailable",
    retriable: true,
    message: expect.stringContaining(code),
  });
  await using again = await open({ intercept: fault.intercept });
  expect(again.history.state).toEqual({ ready: true });
});

// ----------------------------------------------------------------------------------------------- journal

test("entries that come together share one sync", async () => {
  const { open, clock } = createHistoryTestBed();
  let syncs = 0;
  await using pod = await open({
    intercept({ operation, path, phase }) {
      if (operation === "dataSync" && phase === "before" && path.startsWith("journal/")) syncs += 1;
    },
  });
  const names = Array.from({ length: 100 }, (_, index) => `incident-${index}`);
  await clock.runUntil(Promise.all(names.map((name) => pod.history.record(anEntry(name), NEVER))));
  expect(syncs).toBeLessThanOrEqual(2);
  expect(names.every((name) => pod.history.lookup(anEntry(name).key))).toBe(true);
});

test("after a failed sync the journal goes on in another file, and nothing is lost", async () => {
  const { open, clock, filesOf, volume } = createHistoryTestBed();
  const fault = failing({ operation: "dataSync", path: /^journal/, phase: "before" }, "EIO");
  const pod = await open({ intercept: fault.intercept });
  const recording = pod.history.record(anEntry("one"), NEVER);
  await clock.advance(0);
  expect(filesOf("journal")).toHaveLength(1);
  expect(pod.history.state).toMatchObject({ ready: false });
  await clock.runUntil(recording);
  expect(filesOf("journal")).toHaveLength(2);
  expect(pod.history.state).toEqual({ ready: true });
  volume.losePower();
  await using next = await open();
  expect(next.history.lookup(anEntry("one").key)).toBeDefined();
  await pod.history.close();
});

test("a journal is sealed by its writer, and only by a stop", async () => {
  const { open, filesOf, volume } = createHistoryTestBed();
  const pod = await open();
  await pod.record(anEntry("one"));
  const [path = ""] = filesOf("journal");
  expect(path).toMatch(/^journal\/uid_1-[0-9a-f]{32}\.log$/);
  expect(volume.text(path)).not.toContain('{"kind":"seal"}');
  await Promise.all([pod.history.close(), pod.history.close()]);
  expect(volume.durableText(path)).toContain('{"kind":"seal"}');
  // A caller that comes later learns the reason when it gives up.
  const reason = new Error("enough");
  await expect(pod.history.record(anEntry("two"), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(pod.history.lookup(anEntry("two").key)).toBeUndefined();
});

// --------------------------------------------------------------------------------------------- published

test("the published view shows a change within its interval, and only what people need", async () => {
  const { open, clock, published } = createHistoryTestBed();
  await using pod = await open();
  await clock.advance(0);
  expect(published()).toMatchObject({ format: 1, entries: {} });
  await pod.record(anEntry("one", { outcome: "rejected", deadLetterAcknowledged: true }));
  await clock.advance(1000);
  expect(published().entries).toEqual({
    [anEntry("one").key]: {
      rule: "restart-web",
      action: "open-ticket",
      incidentId: "one",
      transition: "active",
      startedOnMs: 1,
      attempt: 1,
      outcome: "rejected",
      atMs: 2,
      pod: "a",
    },
  });
});

test("the view of every pod is the union of all", async () => {
  const { open, clock, published } = createHistoryTestBed();
  await using a = await open();
  await using b = await open();
  await a.record(anEntry("one"));
  await clock.advance(2000);
  await b.record(anEntry("two"));
  await clock.advance(2000);
  await a.record(anEntry("three"));
  await clock.advance(2000);
  const keys = ["one", "two", "three"].map((name) => anEntry(name).key);
  expect(Object.keys(published().entries).toSorted()).toEqual(keys.toSorted());
});

test("the end that a pod recorded before it died is shown by the others, idle as they are", async () => {
  const { open, clock, published } = createHistoryTestBed();
  await using _idle = await open();
  const dead = await open({ publishIntervalMs: 600_000 });
  await clock.advance(5000);
  await dead.record(anEntry("one"));
  await clock.advance(1000);
  expect(Object.keys(published().entries)).toEqual([anEntry("one").key]);
});

test("a view that a late rename brought back is replaced, though nothing changed", async () => {
  const { open, clock, published, volume } = createHistoryTestBed();
  await using _idle = await open();
  await using pod = await open();
  await pod.record(anEntry("one"));
  await clock.advance(1000);
  const late = volume.text("automation_action_history.json");
  await pod.record(anEntry("two"));
  await clock.advance(3000);
  volume.put("automation_action_history.json", late);
  expect(Object.keys(published().entries)).toHaveLength(1);
  await clock.advance(1000);
  expect(Object.keys(published().entries)).toHaveLength(2);
});

test("a pod that stood still after reading the journals tells the age of its view, which is replaced", async () => {
  const gate = Promise.withResolvers<void>();
  const { open, clock, published } = createHistoryTestBed();
  const views: ReturnType<typeof published>[] = [];
  let isFrozen = false;
  let isThawed = false;
  await using a = await open({
    async intercept({ operation, path, phase }) {
      const isView = path.includes("automation_action_history.json");
      if (isFrozen && isView && operation === "readFrom" && phase === "before") await gate.promise;
      if (isThawed && operation === "rename" && phase === "after") views.push(published());
    },
  });
  await using b = await open();
  await clock.advance(5000);
  isFrozen = true;
  await a.record(anEntry("one"));
  await clock.advance(1000);
  const readMs = clock.wallMs();
  await b.record(anEntry("two"));
  await clock.advance(9000);
  expect(Object.keys(published().entries)).toHaveLength(2);
  isFrozen = false;
  isThawed = true;
  gate.resolve();
  await clock.advance(3000);
  expect(views[0]?.entries).not.toHaveProperty(anEntry("two").key);
  expect(views[0]?.publishedAtMs).toBeLessThanOrEqual(readMs);
  expect(Object.keys(published().entries)).toHaveLength(2);
});

test("an entry that a slower publication replaced comes back", async () => {
  const gate = Promise.withResolvers<void>();
  const { open, clock, published } = createHistoryTestBed();
  let slow = false;
  await using a = await open({
    async intercept({ operation, phase }) {
      if (slow && operation === "rename" && phase === "before") await gate.promise;
    },
  });
  await using b = await open();
  await clock.advance(0);
  slow = true;
  await a.record(anEntry("one"));
  await clock.advance(1500);
  // a has read the journals and stands before its rename; b publishes meanwhile.
  await b.record(anEntry("two"));
  await clock.advance(5000);
  expect(Object.keys(published().entries)).toHaveLength(2);
  slow = false;
  gate.resolve();
  await clock.advance(0);
  expect(Object.keys(published().entries)).toEqual([anEntry("one").key]);
  await clock.advance(1000);
  expect(Object.keys(published().entries)).toHaveLength(2);
});

test("the view parses at every moment, and a loss of power leaves the old or the new one", async () => {
  const { open, clock, volume } = createHistoryTestBed();
  const views = new Set<number>();
  const look = (): void => {
    if (views.size === 0 && !volume.paths().includes(PUBLISHED)) return;
    const durable = volume.durableText(PUBLISHED);
    for (const text of [volume.text(PUBLISHED), ...(durable === undefined ? [] : [durable])]) {
      const { entries }: { entries: object } = JSON.parse(text);
      views.add(Object.keys(entries).length);
    }
  };
  await using pod = await open({ intercept: look });
  await clock.advance(0);
  for (const name of ["one", "two", "three"]) {
    await pod.record(anEntry(name));
    await clock.advance(1000);
  }
  look();
  expect([...views]).toEqual([0, 1, 2, 3]);
  expect(volume.durableText(PUBLISHED)).toBe(volume.text(PUBLISHED));
});

test("an idle pod leaves the view alone", async () => {
  const { open, clock } = createHistoryTestBed();
  let renames = 0;
  await using _pod = await open({
    intercept({ operation, path, phase }) {
      if (operation === "rename" && path === PUBLISHED && phase === "before") renames += 1;
    },
  });
  await clock.advance(60_000);
  expect(renames).toBe(1);
});

test("a pod that starts leaves the view of another until its interval is over", async () => {
  const { open, clock, published } = createHistoryTestBed();
  const publishIntervalMs = 60_000;
  const before = await open({ publishIntervalMs });
  await before.record(anEntry("one"));
  await before.history.close();
  const { publishedAtMs } = published();
  await clock.advance(20_000);
  await using next = await open({ publishIntervalMs });
  await next.record(anEntry("two"));
  await clock.advance(39_000);
  expect(published().publishedAtMs).toBe(publishedAtMs);
  await clock.advance(1001);
  expect(Object.keys(published().entries).toSorted()).toEqual(
    [anEntry("one").key, anEntry("two").key].toSorted(),
  );
});

test("a stop publishes what is not published yet", async () => {
  const { open, clock, published } = createHistoryTestBed();
  const pod = await open();
  await clock.advance(2000);
  await pod.record(anEntry("one"));
  await pod.history.close();
  expect(Object.keys(published().entries)).toEqual([anEntry("one").key]);
});

test("a view of a newer version is not replaced by an older one", async () => {
  const { open, clock, volume } = createHistoryTestBed();
  await using pod = await open();
  await clock.advance(0);
  volume.put("journal/new.log", encodeJournalHeader(2));
  volume.put(PUBLISHED, '{"format":2}');
  await pod.record(anEntry("one"));
  await clock.advance(5000);
  expect(volume.text(PUBLISHED)).toBe('{"format":2}');
  const refusals = pod.log.events().filter((event) => event === "history.publication.refused");
  expect(refusals).toHaveLength(1);
});

test("a record that reached the journal although its sync failed is shown by its writer too", async () => {
  const { clock, open, published } = createHistoryTestBed();
  const sync = failing({ operation: "dataSync", path: /^journal/, phase: "before" }, "EIO");
  const create = failing(
    { operation: "createExclusive", path: /^journal/, phase: "before" },
    ...Array.from({ length: 100 }, () => "EIO"),
  );
  await using pod = await open({
    async intercept(call) {
      await sync.intercept(call);
      if (sync.fired() > 0) await create.intercept(call);
    },
  });
  const givesUp = new AbortController();
  const giveUp = async (): Promise<void> => {
    await clock.advance(100);
    givesUp.abort(new Error("given up"));
  };
  const recorded = pod.history.record(anEntry("one"), givesUp.signal);
  await Promise.all([expect(recorded).rejects.toThrow("given up"), giveUp()]);
  expect([sync.fired(), create.fired() > 0]).toEqual([1, true]);
  await clock.advance(60_000);
  expect(Object.keys(published().entries)).toEqual([anEntry("one").key]);
});
