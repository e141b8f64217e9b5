import type * as NodeFs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClaims } from "#consumer/history/claims/claims.ts";
import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import { createRecordedMetrics } from "#fixtures/ports/observers.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "./files.ts";

/** The calls that the adapter makes to the system, by their names, with descriptors as the path that was opened. */
const system = vi.hoisted(() => ({
  calls: [] as string[],
  root: "",
  failing: undefined as string | undefined,
  named: (_path: string): string => "",
}));

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof NodeFs>();
  const paths = new Map<number, string>();
  const byPath = ["mkdir", "link", "rename", "unlink"] as const;
  const byDescriptor = ["write", "fdatasync", "fsync", "close"] as const;
  const wrapped: Record<string, unknown> = {};
  for (const name of [...byPath, ...byDescriptor]) {
    wrapped[name] = (...given: unknown[]): unknown => {
      const [first] = given;
      const subject = typeof first === "number" ? paths.get(first) : system.named(String(first));
      const target =
        name === "link" || name === "rename" ? system.named(String(given[1])) : subject;
      system.calls.push(`${name} ${target}`);
      if (system.failing === name) {
        system.failing = undefined;
        const error = Object.assign(new Error(`EIO: ${name}`), { code: "EIO", syscall: name });
        const end = given.at(-1);
        return typeof end === "function" ? Reflect.apply(end, undefined, [error]) : undefined;
      }
      return Reflect.apply(real[name], real, given);
    };
  }
  wrapped.open = (path: string, ...rest: unknown[]): unknown => {
    const end = rest.pop();
    return Reflect.apply(real.open, real, [
      path,
      ...rest,
      (error: Error | null, descriptor: number) => {
        if (!error) paths.set(descriptor, system.named(path));
        if (typeof end === "function") Reflect.apply(end, undefined, [error, descriptor]);
      },
    ]);
  };
  // Answers late, so that whoever does not wait for it is ahead.
  wrapped.fchmod = (descriptor: number, mode: number, end: (error: Error | null) => void): void =>
    real.fchmod(descriptor, mode, (error) => {
      setTimeout(() => {
        system.calls.push(`fchmod ${paths.get(descriptor)}`);
        end(error);
      }, 30);
    });
  return { ...real, ...wrapped };
});

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "order-"));
  system.named = (path) => relative(root, path) || ".";
  system.failing = undefined;
  system.calls.length = 0;
});

afterEach(() => rm(root, { recursive: true }));

const KEY = "ab".repeat(32);
const CLAIM = `claims/ab/${KEY}.1.claim`;

function claimsOf(files: ReturnType<typeof createFiles>) {
  const clock = createSystemClock();
  const metrics = createRecordedMetrics();
  const health = { failed: () => undefined, recovered: () => undefined };
  const atomicFiles = createAtomicFiles({
    files,
    writer: "writer",
    observer: { clock, health, metrics },
  });
  return createClaims({ files, atomicFiles, clock, metrics });
}

const claim = {
  key: KEY,
  attempt: 1,
  nonce: "n",
  pod: "p",
  rule: "r",
  action: "a",
  incidentId: "i",
  transition: "active",
  startedOnMs: 1,
  topic: "t",
  partition: 0,
  offset: "0",
  claimedAtMs: 1,
};

test("a claim is durable before it has its name, and the name is durable when it is synced", async () => {
  const files = createFiles(root);
  await files.makeDirectory("temporary");
  await files.makeDirectory("claims/ab");
  const claims = claimsOf(files);
  system.calls.length = 0;
  expect(await claims.linkClaim(claim)).toBe("linked");
  await claims.sync(KEY);
  const order = system.calls.filter((call) => !/^(close|mkdir|fchmod) /.test(call));
  const made = order.indexOf("write temporary/writer.1");
  expect(order.slice(made)).toEqual([
    "write temporary/writer.1",
    "fdatasync temporary/writer.1",
    `link ${CLAIM}`,
    "unlink temporary/writer.1",
    "fsync claims/ab",
  ]);
});

test("every directory above a new one is synced, up to the root, and so it is when all were there", async () => {
  const files = createFiles(root);
  for (const round of ["made", "there already"]) {
    system.calls.length = 0;
    await files.makeDirectory("one/two/three");
    const synced = system.calls.filter((call) => call.startsWith("fsync"));
    expect({ round, synced }).toEqual({ round, synced: ["fsync one/two", "fsync one", "fsync ."] });
  }
});

test("syncing a directory is an fsync of that directory, and its failure is told", async () => {
  const files = createFiles(root);
  await files.makeDirectory("claims");
  system.calls.length = 0;
  await files.syncDirectory("claims");
  expect(system.calls).toEqual(["fsync claims", "close claims"]);
  system.failing = "fsync";
  await expect(files.syncDirectory("claims")).rejects.toMatchObject({ code: "EIO" });
});

test("an fdatasync that failed is never tried again on the same file, and what it wrote gets no name", async () => {
  const files = createFiles(root);
  const file = await files.createExclusive("a");
  await file.append(new Uint8Array([1]));
  system.failing = "fdatasync";
  await expect(file.dataSync()).rejects.toMatchObject({ code: "EIO" });
  await expect(file.dataSync()).rejects.toMatchObject({ code: "EIO" });
  await file.append(new Uint8Array([2]));
  await expect(file.dataSync()).rejects.toMatchObject({ code: "EIO" });
  await file.close();
  expect(system.calls.filter((call) => call.startsWith("fdatasync"))).toEqual(["fdatasync a"]);

  await files.makeDirectory("temporary");
  const claims = claimsOf(files);
  system.calls.length = 0;
  system.failing = "fdatasync";
  await expect(claims.linkClaim(claim)).rejects.toMatchObject({ code: "EIO" });
  expect(system.calls.filter((call) => call.startsWith("link"))).toEqual([]);
  expect(await claims.linkClaim(claim)).toBe("linked");
  expect(system.calls.filter((call) => call.startsWith("fdatasync"))).toEqual([
    "fdatasync temporary/writer.1",
    "fdatasync temporary/writer.2",
  ]);
});

test("a file is for its group before its content counts as durable, and before it is closed", async () => {
  const umask = process.umask(0o077);
  try {
    const files = createFiles(root);
    const durable = await files.createExclusive("durable");
    await durable.dataSync();
    await durable.close();
    const closed = await files.createExclusive("closed");
    await closed.close();
    expect(system.calls).toEqual([
      "fchmod durable",
      "fdatasync durable",
      "close durable",
      "fchmod closed",
      "close closed",
    ]);
  } finally {
    process.umask(umask);
  }
});
