import { appendFile, mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSmallFile } from "./small-file.ts";

const MIB = 2 ** 20;

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "small-file-"));
  file = join(directory, "file");
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

/** Whoever reads a file finds that it has grown once its size is known. */
async function growAfterSizeIsRead(text: string): Promise<void> {
  const handle = await open(file);
  await handle.close();
  const prototype: typeof handle = Object.getPrototypeOf(handle);
  vi.spyOn(prototype, "stat").mockImplementation(async () => {
    const status = await stat(file);
    await appendFile(file, text);
    return status;
  });
}

test("takes memory for what the file holds, and not for what it might hold", async () => {
  await writeFile(file, "x".repeat(2000));
  const allocate = vi.spyOn(Buffer, "allocUnsafe");
  expect((await readSmallFile(file, 4 * MIB)).length).toBe(2000);
  const takenBytes = allocate.mock.calls.map(([bytes]) => bytes);
  expect(takenBytes).not.toEqual([]);
  expect(Math.max(...takenBytes)).toBeLessThan(4000);
});

test.each([0, 1, 9999, 10_000])("a file of %d bytes is read whole", async (bytes) => {
  const text = "0123456789".repeat(1000).slice(0, bytes);
  await writeFile(file, text);
  expect((await readSmallFile(file, 10_000)).toString()).toBe(text);
});

test("a file of more bytes than are allowed is refused", async () => {
  await writeFile(file, "x".repeat(10_001));
  await expect(readSmallFile(file, 10_000)).rejects.toThrow("is larger than 10000 bytes");
});

test("a file that grows while it is read is read to its end", async () => {
  await writeFile(file, "begin ");
  await growAfterSizeIsRead("middle ".repeat(1000));
  expect((await readSmallFile(file, 10_000)).toString()).toBe(`begin ${"middle ".repeat(1000)}`);
});

test("a file that grows beyond what is allowed while it is read is refused", async () => {
  await writeFile(file, "begin");
  await growAfterSizeIsRead("x".repeat(10_000));
  await expect(readSmallFile(file, 10_000)).rejects.toThrow("is larger than 10000 bytes");
});
