import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFiles } from "./files.ts";

async function makeVolume(mountPoint: (root: string) => string | null) {
  const directory = await mkdtemp(join(tmpdir(), "consumer-mount-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const root = join(directory, "his tory");
  await mkdir(join(directory, "volume"));
  await symlink(join(directory, "volume"), root);
  const mountinfo = join(directory, "mountinfo");
  const row = mountPoint(root);
  if (row !== null) {
    await writeFile(mountinfo, `22 1 0:5 / ${row} rw shared:1 - ext4 /dev/sda rw\n`);
  }
  return createFiles(root, { mountinfoPath: mountinfo });
}

test("a directory of the same device is a mount when the system lists it", async () => {
  const files = await makeVolume((root) => root.replaceAll(" ", String.raw`\040`));
  expect(await files.isMount()).toBe(true);
});

test("another mount point, or no list at all, makes it none", async () => {
  expect(await (await makeVolume(() => "/data")).isMount()).toBe(false);
  expect(await (await makeVolume(() => null)).isMount()).toBe(false);
});

test("a directory that is absent is no mount", async () => {
  expect(await createFiles("/no/such/directory").isMount()).toBe(false);
});
