import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { systemCode } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { createFiles } from "./files.ts";

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "files-"));
  directories.push(directory);
  return directory;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

async function write(files: Files, path: string, ...parts: string[]): Promise<void> {
  const file = await files.createExclusive(path);
  for (const part of parts) await file.append(bytes(part));
  await file.dataSync();
  await file.close();
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return systemCode(error);
  }
}

const implementations: readonly [string, () => Promise<Files>][] = [
  ["node:fs", async () => createFiles(await temporaryDirectory())],
  ["memory", () => Promise.resolve(createMemoryVolume().mount())],
];

describe.each(implementations)("files on %s", (_name, open) => {
  test("a file holds what was appended, in order", async () => {
    const files = await open();
    await write(files, "a", "one ", "two ", "three");
    expect(text(await files.read("a"))).toBe("one two three");
  });

  test("a name is created once", async () => {
    const files = await open();
    await write(files, "a", "first");
    expect(await codeOf(files.createExclusive("a"))).toBe("EEXIST");
    expect(text(await files.read("a"))).toBe("first");
  });

  test("an absent file is ENOENT for every operation that needs it", async () => {
    const files = await open();
    for (const work of [
      () => files.read("none"),
      () => files.readFrom("none", 0),
      () => files.link("none", "other"),
      () => files.rename("none", "other"),
      () => files.unlink("none"),
      () => files.modifiedMs("none"),
      () => files.list("none"),
      () => files.syncDirectory("none"),
      () => files.createExclusive("none/a"),
    ]) {
      expect(await codeOf(work())).toBe("ENOENT");
    }
  });

  test("readFrom gives what was added since, and nothing at the end", async () => {
    const files = await open();
    const file = await files.createExclusive("a");
    await file.append(bytes("12345"));
    expect(text(await files.readFrom("a", 2))).toBe("345");
    await file.append(bytes("67"));
    expect(text(await files.readFrom("a", 5))).toBe("67");
    expect(text(await files.readFrom("a", 2, 3))).toBe("345");
    expect(await files.readFrom("a", 7)).toHaveLength(0);
    expect(await files.readFrom("a", 99)).toHaveLength(0);
    await file.close();
  });

  test("modifiedMs is the volume's time of the last write", async () => {
    const files = await open();
    const beforeMs = Date.now();
    await write(files, "a", "content");
    const modifiedMs = await files.modifiedMs("a");
    // The kernel's stamps are a few milliseconds coarse.
    expect(modifiedMs).toBeGreaterThan(beforeMs - 1000);
    expect(modifiedMs).toBeLessThanOrEqual(Date.now());
  });

  test("link gives a second name once, and outlives the first", async () => {
    const files = await open();
    await files.makeDirectory("deep/down");
    await write(files, "a", "content");
    await write(files, "b", "other");
    await files.link("a", "deep/down/c");
    expect(await codeOf(files.link("b", "deep/down/c"))).toBe("EEXIST");
    await files.unlink("a");
    expect(await codeOf(files.read("a"))).toBe("ENOENT");
    expect(text(await files.read("deep/down/c"))).toBe("content");
  });

  test("of many links to one name at once, one succeeds", async () => {
    const files = await open();
    const names = Array.from({ length: 20 }, (_, index) => `source-${index}`);
    for (const name of names) await write(files, name, name);
    const results = await Promise.all(names.map((name) => codeOf(files.link(name, "target"))));
    expect(results.filter((code) => code === "no error")).toHaveLength(1);
    expect(results.filter((code) => code === "EEXIST")).toHaveLength(19);
    expect(text(await files.read("target"))).toBe(names[results.indexOf("no error")]);
  });

  test("rename replaces what had the name", async () => {
    const files = await open();
    await write(files, "a", "new");
    await write(files, "b", "old");
    await files.rename("a", "b");
    expect(text(await files.read("b"))).toBe("new");
    expect(await files.list(".")).toEqual(["b"]);
  });

  test("makeDirectory makes all that is missing, and may be repeated", async () => {
    const files = await open();
    await files.makeDirectory("a/b/c");
    await files.makeDirectory("a/b/c");
    await write(files, "a/b/c/file", "x");
    expect((await files.list("a/b")).toSorted()).toEqual(["c"]);
    await files.syncDirectory("a/b");
  });
});

describe("files on node:fs", () => {
  test("a path that leaves the volume is refused", async () => {
    const files = createFiles(await temporaryDirectory());
    expect(() => files.read("../x")).toThrow(RangeError);
    expect(() => files.unlink("/etc/hostname")).toThrow(RangeError);
    expect(() => files.list("a/../..")).toThrow(RangeError);
  });

  test("a directory of the same device is no mount, one of another is", async () => {
    const directory = await temporaryDirectory();
    expect(await createFiles(directory).isMount()).toBe(false);
    expect(await createFiles(join(directory, "absent")).isMount()).toBe(false);
    expect(await createFiles("/").isMount()).toBe(true);
  });

  test.runIf(process.platform === "linux")("procfs is a mount of its own", async () => {
    expect(await createFiles("/proc").isMount()).toBe(true);
  });

  test("a file that is closed is closed once, and takes nothing any more", async () => {
    const files = createFiles(await temporaryDirectory());
    const file = await files.createExclusive("a");
    await file.close();
    // Has the number of the closed one.
    const other = await files.createExclusive("b");
    await file.close();
    expect(await codeOf(file.append(bytes("lost")))).toBe("EBADF");
    expect(await codeOf(file.dataSync())).toBe("EBADF");
    await other.append(bytes("kept"));
    await other.close();
    expect(text(await files.read("b"))).toBe("kept");
  });

  test("what is no file of its own is told at once: a directory, a symbolic link, a pipe", async () => {
    const directory = await temporaryDirectory();
    const files = createFiles(directory);
    await write(files, "whole", "x");
    await files.makeDirectory("directory");
    await symlink("whole", join(directory, "link"));
    await symlink("nowhere", join(directory, "dangling"));
    await promisify(execFile)("mkfifo", [join(directory, "pipe")]);
    const codes: Record<string, string | undefined> = {};
    for (const name of ["whole", "directory", "link", "dangling", "pipe"]) {
      codes[name] = await codeOf(files.read(name));
      expect(await codeOf(files.readFrom(name, 0))).toBe(codes[name]);
    }
    expect(codes).toEqual({
      whole: "no error",
      directory: "EISDIR",
      link: "ELOOP",
      dangling: "ELOOP",
      pipe: "ENXIO",
    });
    await write(files, "other", "y");
    for (const name of ["directory", "link", "dangling", "pipe"]) {
      expect(await codeOf(files.link("other", name))).toBe("EEXIST");
    }
  });

  test("files are not readable for everybody", async () => {
    const directory = await temporaryDirectory();
    await chmod(directory, 0o700);
    await write(createFiles(directory), "a", "x");
    expect((await stat(join(directory, "a"))).mode & 0o007).toBe(0);
  });
});

describe("files in memory", () => {
  test("a loss of power leaves what was synced: content and name each by its own sync", async () => {
    const volume = createMemoryVolume();
    const files = volume.mount();
    await files.makeDirectory("d");
    await write(files, "d/synced", "content");
    await files.syncDirectory("d");
    await write(files, "d/nameless", "content");
    const file = await files.createExclusive("d/empty");
    await file.append(bytes("lost"));
    await files.syncDirectory("d");
    await files.unlink("d/nameless");
    await files.unlink("d/synced");
    expect(volume.durableText("d/synced")).toBe("content");
    volume.losePower();
    expect(volume.paths()).toEqual(["d/empty", "d/nameless", "d/synced"]);
    expect([volume.text("d/empty"), volume.text("d/synced")]).toEqual(["", "content"]);
    await write(files, "d/later", "content");
    volume.losePower();
    expect(volume.paths()).not.toContain("d/later");
  });

  test("each call of a view passes its interceptor before and after its effect", async () => {
    const volume = createMemoryVolume();
    const calls: string[] = [];
    const files = volume.mount(({ operation, path, phase }) => {
      calls.push(`${phase} ${operation} ${path}: ${volume.paths().join()}`);
    });
    await (await files.createExclusive("a")).close();
    expect(calls).toEqual([
      "before createExclusive a: ",
      "after createExclusive a: a",
      "before close a: a",
      "after close a: a",
    ]);
  });
});
