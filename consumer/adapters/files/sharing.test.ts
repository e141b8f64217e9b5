import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Files } from "#consumer/ports.ts";
import { createFiles } from "./files.ts";

const directories: string[] = [];
const umask = process.umask();
afterEach(async () => {
  process.umask(umask);
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sharing-"));
  directories.push(directory);
  return directory;
}

async function write(files: Files, path: string): Promise<void> {
  const file = await files.createExclusive(path);
  await file.append(new TextEncoder().encode("x"));
  await file.dataSync();
  await file.close();
}

async function seen(path: string) {
  const { uid, gid, mode } = await stat(path);
  return { uid, gid, mode: (mode & 0o7777).toString(8) };
}

const isRoot = process.geteuid?.() === 0;
const OWNER = { uid: 4001, gid: 4002 };

test.each([0o000, 0o022, 0o027, 0o077])(
  "owner and group may read and write whatever is made, others nothing, with a umask of %i",
  async (mask) => {
    const root = await temporaryDirectory();
    process.umask(mask);
    const files = createFiles(root);
    await files.makeDirectory("claims/ab");
    for (const name of ["one", "two", "claims/ab/three"]) await write(files, name);
    for (const name of ["one", "two", "claims/ab/three"]) {
      expect(await seen(join(root, name))).toMatchObject({ mode: "660" });
    }
    for (const name of ["claims", "claims/ab"]) {
      expect(await seen(join(root, name))).toMatchObject({ mode: "2770" });
    }
  },
);

test("directories that an older version made are opened to the group, and keep what else they permit", async () => {
  const root = await temporaryDirectory();
  await mkdir(join(root, "claims/ab"), { recursive: true });
  await chmod(join(root, "claims"), 0o750);
  await chmod(join(root, "claims/ab"), 0o705);
  await createFiles(root).makeDirectory("claims/ab");
  expect(await seen(join(root, "claims"))).toMatchObject({ mode: "2770" });
  expect(await seen(join(root, "claims/ab"))).toMatchObject({ mode: "2775" });
});

test.runIf(isRoot)("what root makes belongs to whom the directory belongs to", async () => {
  const root = await temporaryDirectory();
  await chown(root, OWNER.uid, OWNER.gid);
  process.umask(0o077);
  const files = createFiles(root);
  await files.makeDirectory("claims/ab");
  for (const name of ["claims/ab/one", "claims/ab/two"]) {
    await write(files, name);
    expect(await seen(join(root, name))).toEqual({ ...OWNER, mode: "660" });
  }
  for (const name of ["claims", "claims/ab"]) {
    expect(await seen(join(root, name))).toEqual({ ...OWNER, mode: "2770" });
  }
});

test.runIf(isRoot)(
  "the directory in which it is made decides, not the root of the volume",
  async () => {
    const root = await temporaryDirectory();
    await mkdir(join(root, "journal"));
    await chown(join(root, "journal"), OWNER.uid, OWNER.gid);
    await write(createFiles(root), "journal/a.log");
    expect(await seen(join(root, "journal/a.log"))).toEqual({ ...OWNER, mode: "660" });
  },
);

test.runIf(isRoot)("directories that were there stay whose they are", async () => {
  const root = await temporaryDirectory();
  await mkdir(join(root, "claims"));
  await chown(join(root, "claims"), OWNER.uid, OWNER.gid);
  await createFiles(root).makeDirectory("claims");
  expect(await seen(join(root, "claims"))).toMatchObject(OWNER);
});

// Runs work as another user than root. The euid belongs to the process, so nothing else may run meanwhile.
async function as<T>(uid: number, gid: number, work: () => Promise<T>): Promise<T> {
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

test.runIf(isRoot)(
  "a command of a stranger writes nothing, and is told how to run it",
  async () => {
    const root = await temporaryDirectory();
    await chown(root, OWNER.uid, OWNER.gid);
    for (const mode of [0o777, 0o750]) {
      await chmod(root, mode);
      const refused = await as(4003, 4003, async () => {
        const files = createFiles(root, { mustShare: true });
        return files.createExclusive("a").catch((error: unknown) => error);
      });
      expect(refused).toMatchObject({
        code: "usage",
        message: expect.stringMatching(
          /belongs to uid 4001, gid 4002.*uid 4003.*setpriv --reuid 4001/,
        ),
      });
      expect(await readdir(root)).toEqual([]);
    }
  },
);

test.runIf(isRoot)("a command of the group, of the owner and of root may write", async () => {
  const root = await temporaryDirectory();
  await chown(root, OWNER.uid, OWNER.gid);
  await chmod(root, 0o2770);
  for (const [name, uid, gid] of [
    ["group", 4003, OWNER.gid],
    ["owner", OWNER.uid, OWNER.gid],
    ["root", 0, 0],
  ] as const) {
    await as(uid, gid, () => write(createFiles(root, { mustShare: true }), name));
    expect(await seen(join(root, name))).toMatchObject({ gid: OWNER.gid, mode: "660" });
  }
});

test("a failure of the volume is no refusal", async () => {
  const root = await temporaryDirectory();
  await writeFile(join(root, "taken"), "");
  const files = createFiles(root, { mustShare: true });
  await expect(files.createExclusive("taken")).rejects.toMatchObject({ code: "EEXIST" });
  await expect(files.createExclusive("absent/a")).rejects.toMatchObject({ code: "ENOENT" });
});
