import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UsageError } from "#e2e/errors.ts";
import { makeDirectory } from "./make-directory.ts";

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-make-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test("makes every level, and takes one that is there", async () => {
  const path = join(await temporary(), "a", "b", "c");
  await makeDirectory("--artifacts", path);
  await makeDirectory("--artifacts", path);
  expect((await stat(path)).isDirectory()).toBe(true);
});

test("two at the same time make the same levels", async () => {
  const parent = await temporary();
  await Promise.all(
    ["x", "y"].map((name) => makeDirectory("--artifacts", join(parent, "a", "b", name))),
  );
  expect((await stat(join(parent, "a", "b", "y"))).isDirectory()).toBe(true);
});

test("names option, path and code of what it cannot make", async () => {
  const parent = await temporary();
  await writeFile(join(parent, "file"), "");
  await mkdir(join(parent, "there"));
  await symlink(join(parent, "absent"), join(parent, "dangling"));
  for (const [name, code] of [
    ["file", "ENOTDIR"],
    ["file/below", "ENOTDIR"],
    ["dangling", "EEXIST"],
  ]) {
    const made = makeDirectory("--artifacts", join(parent, String(name)));
    await expect(made).rejects.toThrow(UsageError);
    await expect(made).rejects.toThrow(
      `--artifacts: cannot make the directory ${join(parent, String(name))}: ${code}`,
    );
  }
});

test.runIf(process.platform === "linux")("does not spin below /proc", async () => {
  await expect(makeDirectory("--artifacts", "/proc/kafka-consumer/x")).rejects.toThrow(
    /\/proc\/kafka-consumer\/x: (ENOENT|EACCES|EPERM)/,
  );
});
