import { expect, test } from "vitest";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { failing } from "#fixtures/ports/failing-calls.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { FileCall, FileOperation } from "#fixtures/ports/files.ts";
import { createHistoryTestBed } from "#fixtures/consumer/history-test-bed.ts";
import type { Files } from "#consumer/ports.ts";
import { proveVolume } from "./prove-volume.ts";

/** Fails every such call that is part of the proof. */
function refusing(operation: FileOperation, code: string) {
  return (call: FileCall): void => {
    if (call.operation !== operation || call.phase !== "before") return;
    if (call.path.startsWith("temporary")) throw failure(code, operation, call.path);
  };
}

function leftovers({ volume }: ReturnType<typeof createHistoryTestBed>): string[] {
  return volume.paths().filter((path) => path.startsWith("temporary/") || path.includes("proof"));
}

test.each(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV", "EMLINK"])(
  "a volume whose link(2) fails with %s is not ready from the start, and the reason says what it needs",
  async (code) => {
    const testBed = createHistoryTestBed();
    await expect(testBed.open({ intercept: refusing("link", code) })).rejects.toMatchObject({
      code: "history-unavailable",
      message: expect.stringMatching(new RegExp(`link\\(2\\).*${code}.*hard links`)),
    });
    expect(leftovers(testBed)).toEqual([]);
  },
);

test.each(["rename", "syncDirectory", "list", "unlink"] as const)(
  "a volume whose %s fails is not ready from the start",
  async (operation) => {
    const testBed = createHistoryTestBed();
    const opening = testBed.open({ intercept: refusing(operation, "EINVAL") });
    await expect(opening).rejects.toMatchObject({
      code: "history-unavailable",
      message: expect.stringContaining("EINVAL"),
    });
  },
);

test("it is proved on every start, and nothing is left", async () => {
  const testBed = createHistoryTestBed();
  for (const start of ["first", "second"]) {
    const calls: string[] = [];
    const pod = await testBed.open({
      intercept({ operation, path, phase }) {
        if (phase === "before" && path.includes("proof")) calls.push(operation);
      },
    });
    expect({ start, calls }).toEqual({
      start,
      calls: ["link", "read", "link", "read", "createExclusive", "rename", "read", "unlink"],
    });
    expect(leftovers(testBed)).toEqual([]);
    await pod.history.close();
  }
});

test("EEXIST for a free name is a lost reply", async () => {
  const testBed = createHistoryTestBed();
  const lost = failing({ operation: "link", path: /proof/, phase: "after" }, "EEXIST");
  await using _pod = await testBed.open({ intercept: lost.intercept });
  expect(lost.fired()).toBe(1);
});

/** Volumes that answer as if all was well. */
const LIARS: readonly (readonly [string, (files: Files) => Partial<Files>])[] = [
  [
    "links over a name that is taken",
    (files) => ({
      async link(existing, added) {
        await files.unlink(added).catch(() => undefined);
        await files.link(existing, added);
      },
    }),
  ],
  ["says that it linked, and did not", () => ({ link: async () => undefined })],
  [
    "says EEXIST whatever the name",
    () => ({
      async link(_existing, added) {
        throw failure("EEXIST", "link", added);
      },
    }),
  ],
  [
    "says EEXIST and links all the same",
    (files) => ({
      async link(existing, added) {
        await files.unlink(added).catch(() => undefined);
        await files.link(existing, added);
        throw failure("EEXIST", "link", added);
      },
    }),
  ],
  [
    "creates a file that is there already",
    (files) => ({
      async createExclusive(path) {
        await files.unlink(path).catch(() => undefined);
        return files.createExclusive(path);
      },
    }),
  ],
  ["says that it renamed, and did not", () => ({ rename: async () => undefined })],
];

test.each(LIARS)("a volume that %s is refused", async (_, lie) => {
  const volume = createMemoryVolume();
  const files = volume.mount();
  await files.makeDirectory("temporary");
  let written = 0;
  const temporary = {
    async write(parts: Iterable<Uint8Array>) {
      const path = `temporary/writer.${(written += 1)}`;
      const file = await files.createExclusive(path);
      for (const part of parts) await file.append(part);
      return path;
    },
  };
  const proving = proveVolume({ ...files, ...lie(files) }, temporary);
  await expect(proving).rejects.toMatchObject({ code: "history-unavailable" });
  expect(volume.paths()).toEqual([]);
});
