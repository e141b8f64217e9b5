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

test("makes every level and accepts an existing one", async () => {
  const path = join(await temporary(), "a", "b", "c");
  await makeDirectory("--artifacts", path);
  await makeDirectory("--artifacts", path);
  expect((await stat(path)).isDirectory()).toBe(true);
});

test("two callers can make the same levels at the same time", async () => {
  const parent = await temporary();
  await Promise.all(
    ["x", "y"].map((name) => makeDirectory("--artifacts", join(parent, "a", "b", name))),
  );
  expect((await stat(join(parent, "a", "b", "y"))).isDirectory()).toBe(true);
});

test("the error names the option, the path and the code", async () => {
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

test.runIf(process.platform === "linux")("does not loop forever below /proc", async () => {
  await expect(makeDirectory("--artifacts", "/proc/kafka-consumer/x")).rejects.toThrow(
    /\/proc\/kafka-consumer\/x: (ENOENT|EACCES|EPERM)/,
  );
});
