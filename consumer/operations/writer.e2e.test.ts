import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { plannedAction } from "#fixtures/consumer/execution.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const { key: KEY } = plannedAction();
const OWNER = { uid: 4001, gid: 4002 };

let volume: string;

beforeEach(async () => {
  volume = await mkdtemp(join(tmpdir(), "writer-"));
  const shard = `claims/${KEY.slice(0, 2)}`;
  for (const name of ["claims", shard, "journal", "snapshot", "temporary"]) {
    await mkdir(join(volume, name), { mode: 0o750 });
  }
  const attempt = { format: 1, key: KEY, attempt: 1, nonce: "0".repeat(32), pod: "gone" };
  const names = { rule: "r", action: "a", incidentId: "i", transition: "active", startedOnMs: 1 };
  const position = { topic: "t", partition: 0, offset: "0", claimedAtMs: 1 };
  const end = { outcome: "in-doubt", reason: "sent", detail: "500", atMs: 2 };
  await writeFile(
    join(volume, shard, `${KEY}.1.claim`),
    JSON.stringify({ ...attempt, ...names, ...position }),
  );
  await writeFile(join(volume, shard, `${KEY}.1.outcome`), JSON.stringify({ ...attempt, ...end }));
  for (const name of ["", ...(await readdir(volume, { recursive: true }))]) {
    await chown(join(volume, name), OWNER.uid, OWNER.gid);
  }
});

afterEach(() => rm(volume, { recursive: true }));

function resolveAs(uid: number, gid: number): Promise<{ code: unknown; errors: string }> {
  const parameters = ["--as", "done", "--by", "eve", "--reason", "seen", "--directory", volume];
  const command = [MAIN, "history", "resolve", KEY, ...parameters];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { uid, gid }, (error, _output, errors) =>
      resolve({ code: error?.code ?? 0, errors }),
    );
  });
}

const isRoot = process.geteuid?.() === 0;

test.runIf(isRoot)(
  "what a command of root writes belongs to the owner and the group of the volume",
  async () => {
    expect(await resolveAs(0, 0)).toEqual({ code: 0, errors: "" });
    const written = (await readdir(volume, { recursive: true })).filter((name) =>
      /\.(log|resolution)$/.test(name),
    );
    expect(written).toHaveLength(2);
    for (const name of written) {
      const { uid, gid, mode } = await stat(join(volume, name));
      expect({ name, uid, gid, mode: mode & 0o777 }).toEqual({ name, ...OWNER, mode: 0o660 });
    }
  },
);

test.runIf(isRoot)("a command of anybody else is refused, and nothing is written", async () => {
  const before = await readdir(volume, { recursive: true });
  for (const name of ["", ...before]) await chmod(join(volume, name), 0o755);
  const { code, errors } = await resolveAs(4004, 4004);
  expect(errors).toMatch(/kafka_consumer: .*journal belongs to uid 4001.*Run it as that user/);
  expect(code).toBe(2);
  expect(await readdir(volume, { recursive: true })).toEqual(before);
});

test.runIf(isRoot)("what the volume refuses is told with its place, and no stack", async () => {
  for (const name of ["", ...(await readdir(volume, { recursive: true }))]) {
    await chmod(join(volume, name), 0o770);
  }
  await chmod(join(volume, "claims", KEY.slice(0, 2)), 0o755);
  const { code, errors } = await resolveAs(4003, OWNER.gid);
  expect(errors).toMatch(/^kafka_consumer: .*EACCES: permission denied, link .*\n$/);
  expect(code).toBe(75);
});
