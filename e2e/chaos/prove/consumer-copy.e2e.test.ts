import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, onTestFinished, test, vi } from "vitest";
import { PLANTED_FAULTS } from "./planted-faults.ts";
import { PlantingError, copyConsumer } from "./consumer-copy.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

const { edits } = PLANTED_FAULTS[0]!;
const running = new AbortController().signal;
const files = [...new Set(edits.map(({ file }) => file))];

/** Returns a temporary directory below which copies are made. */
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "consumer-copy-"));
  vi.stubEnv("TMPDIR", directory);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });
  return directory;
}

async function readAll(directory: string): Promise<string[]> {
  return await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
}

/** Returns the text of every file below, by its path there, in order. */
async function readTree(directory: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)));
  const read = async (path: string): Promise<[string, string]> => [
    path,
    await readFile(join(directory, path), "utf8"),
  ];
  return new Map(await Promise.all(paths.toSorted().map(read)));
}

test("the edits are in the copy, which can be loaded, and nowhere else; nothing is left of it", async () => {
  const temporary = await temporaryDirectory();
  const before = await readAll(REPOSITORY);
  {
    await using copy = await copyConsumer(edits, running);
    const originals = await readTree(join(REPOSITORY, "consumer"));
    const copied = await readTree(join(copy.directory, "consumer"));
    expect([...copied.keys()]).toEqual([...originals.keys()]);
    const differing = [...copied].filter(([path, text]) => originals.get(path) !== text);
    expect(differing.map(([path]) => `consumer/${path}`)).toEqual(files.toSorted());
    const contents = await readAll(copy.directory);
    for (const { file, replacement } of edits) {
      expect(contents[files.indexOf(file)]).toContain(replacement);
    }
    for (const file of files) {
      await execa(process.execPath, ["-e", `await import("./${file}")`], { cwd: copy.directory });
    }
  }
  expect(await readAll(REPOSITORY)).toEqual(before);
  expect(await readdir(temporary)).toEqual([]);
});

test("an edit whose text is gone is an error, and leaves no copy", async () => {
  const temporary = await temporaryDirectory();
  const gone = { file: files[0]!, text: "no such text", replacement: "" };
  await expect(copyConsumer([gone], running)).rejects.toThrow(PlantingError);
  expect(await readdir(temporary)).toEqual([]);
});

test("^C while it is copied leaves no copy", async () => {
  const temporary = await temporaryDirectory();
  const interrupted = AbortSignal.abort(new Error("interrupted"));
  await expect(copyConsumer(edits, interrupted)).rejects.toThrow("interrupted");
  expect(await readdir(temporary)).toEqual([]);
});
