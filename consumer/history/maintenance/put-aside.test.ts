import { expect, test } from "vitest";
import { anEntry, createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";

const PUBLISHED = "automation_action_history.json";
const OLDER = { "restart-web:654:active": { timestamp: "2025-12-31T00:00:00Z" } };
const IMPORT = { file: PUBLISHED, keyTemplate: "{{rule}}:{{incident.id}}:{{incident.status}}" };

type TestBed = ReturnType<typeof createHistoryTestBed>;

/** A volume in use: claims, a journal, a view. */
async function used(): Promise<TestBed> {
  const testBed = createHistoryTestBed();
  const pod = await testBed.open();
  await pod.record(anEntry("one"));
  await testBed.clock.advance(2000);
  await pod.history.close();
  return testBed;
}

function asides({ volume }: TestBed): string[] {
  return volume.paths().filter((path) => path.startsWith(`${PUBLISHED}.`));
}

const NOTHING: readonly (readonly [string, string | Uint8Array])[] = [
  ["nothing", ""],
  ["white space", " \r\n\t"],
  ["zeros", new Uint8Array(4096)],
  ["a byte order mark", "\uFEFF"],
  ["an empty object", "{}"],
  ["an empty object, written by hand", "\uFEFF{ }\n"],
  ["an empty list", "[]"],
  ["null", "null\n"],
  ["the first bytes of a view", '{"form'],
  ["half a head of a view", '{"format":1,"publishedAtMs":17956'],
  ["a brace", "{"],
];

test.each(NOTHING)(
  "a view that holds %s is put aside under the time, alarmed and published again",
  async (_, content) => {
    const testBed = await used();
    const { open, volume, clock, published } = testBed;
    volume.put(PUBLISHED, content);
    await using pod = await open();
    await clock.advance(1500);
    expect(Object.keys(published().entries)).toEqual([anEntry("one").key]);
    const [aside = ""] = asides(testBed);
    expect(asides(testBed)).toHaveLength(1);
    expect(aside).toMatch(/\.damaged-2026-01-01T00-00-02-\d{3}Z$/);
    expect(Buffer.from(volume.file(aside)?.bytes ?? "x")).toEqual(Buffer.from(content));
    expect(pod.log.lines).toContainEqual({
      level: "error",
      event: "history.view.damaged",
      fields: { file: PUBLISHED, keptAs: aside },
    });
    expect(pod.metrics.total("storage_errors", { code: "damaged-view" })).toBe(1);
    expect(pod.history.state).toEqual({ ready: true });
  },
);

test("one that holds nothing on a volume that nobody used is no reason not to start either", async () => {
  const testBed = createHistoryTestBed();
  testBed.volume.put(PUBLISHED, "");
  await using _pod = await testBed.open();
  await testBed.clock.advance(1500);
  expect(testBed.published().entries).toEqual({});
  expect(asides(testBed)).toHaveLength(1);
});

test("a directory in its place is put aside with what is in it", async () => {
  const testBed = await used();
  await testBed.volume.mount().unlink(PUBLISHED);
  testBed.volume.put(`${PUBLISHED}/notes.txt`, "kept");
  await using _pod = await testBed.open();
  await testBed.clock.advance(1500);
  expect(Object.keys(testBed.published().entries)).toEqual([anEntry("one").key]);
  expect(asides(testBed)).toEqual([expect.stringMatching(/\.damaged-.*\/notes\.txt$/)]);
});

test.each([
  ["emptied", ""],
  ["removed", undefined],
])(
  "a view that is %s while a pod runs is published again, though nothing changed",
  async (_, content) => {
    const testBed = await used();
    await using _pod = await testBed.open();
    await testBed.clock.advance(5000);
    if (content === undefined) await testBed.volume.mount().unlink(PUBLISHED);
    else testBed.volume.put(PUBLISHED, content);
    await testBed.clock.advance(1500);
    expect(Object.keys(testBed.published().entries)).toEqual([anEntry("one").key]);
  },
);

test("two pods that start at once put it aside once, and both are ready", async () => {
  const testBed = await used();
  testBed.volume.put(PUBLISHED, "");
  const [a, b] = await Promise.all([testBed.open(), testBed.open()]);
  await testBed.clock.advance(3000);
  expect([a.history.state, b.history.state]).toEqual([{ ready: true }, { ready: true }]);
  expect(asides(testBed)).toHaveLength(1);
  await Promise.all([a.history.close(), b.history.close()]);
});

test("what an older consumer writes at that very moment is not put aside", async () => {
  const testBed = await used();
  testBed.volume.put(PUBLISHED, "");
  const opening = testBed.open({
    intercept({ operation, path, phase }) {
      if (operation === "rename" && path.includes("damaged") && phase === "before") {
        testBed.volume.put(PUBLISHED, JSON.stringify(OLDER));
      }
    },
  });
  await expect(opening).rejects.toMatchObject({ code: "history-unreadable" });
  expect(asides(testBed)).toEqual([]);
  expect(JSON.parse(testBed.volume.text(PUBLISHED))).toEqual(OLDER);
});

test.each([
  ["the history of an older consumer", JSON.stringify(OLDER)],
  ["half of one", JSON.stringify(OLDER).slice(0, 30)],
  ["something else", "[1]"],
  ["text", "hello"],
])("%s is refused and left as it is, though claims lie beside it", async (_, content) => {
  const testBed = await used();
  testBed.volume.put(PUBLISHED, content);
  await expect(testBed.open()).rejects.toMatchObject({ code: "history-unreadable" });
  expect(testBed.volume.text(PUBLISHED)).toBe(content);
  expect(asides(testBed)).toEqual([]);
});

test("an older consumer that has done nothing yet is imported, not put aside", async () => {
  const testBed = createHistoryTestBed();
  testBed.volume.put(PUBLISHED, "{}");
  await using pod = await testBed.open({ import: IMPORT });
  await testBed.clock.advance(1500);
  expect(asides(testBed)).toEqual([]);
  expect(pod.log.events()).toContain("history.imported");
});
