import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Authority, createAuthority } from "#fixtures/certificates.ts";

import { hasCode } from "../errors.ts";
import type { Clock, Log } from "../ports.ts";
import { createIdentitySource } from "./identity.ts";

const PRINCIPAL = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";
const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let directory: string;
let authority: Authority;
let shiftMs = 0;
const clock: Clock = {
  wallMs: () => Date.now() + shiftMs,
  monotonicMs: () => performance.now() + shiftMs,
  sleep: () => Promise.reject(new Error("not used")),
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "identity-"));
  authority = await createAuthority();
  shiftMs = 0;
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const paths = () => ({
  certificate: join(directory, "cert.pem"),
  key: join(directory, "key.pem"),
  ca: join(directory, "ca.pem"),
});

function source() {
  return createIdentitySource({ ...paths(), reloadIntervalMs: 1000, clock, log: SILENT });
}

async function write(files: { certificate?: string; key?: string; ca?: string }): Promise<void> {
  const { certificate, key, ca } = paths();
  if (files.certificate !== undefined) await writeFile(certificate, files.certificate);
  if (files.key !== undefined) await writeFile(key, files.key);
  if (files.ca !== undefined) await writeFile(ca, files.ca);
}

async function issue(options: { lifetimeMs?: number; notBefore?: Date } = {}) {
  const { certificatePem, privateKeyPem } = await authority.issue({
    commonName: PRINCIPAL,
    ...options,
  });
  return { certificate: certificatePem, key: privateKeyPem };
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(hasCode(error, "identity-unusable")).toBe(true);
  return error instanceof Error ? error.message : "";
}

describe("Athenz identity", () => {
  it("reads pair, authorities, principal and end of validity", async () => {
    const pair = await issue({ lifetimeMs: 60_000 });
    await write({ ...pair, ca: authority.certificatePem });
    const identity = source();
    expect(identity.state).toStrictEqual({ ready: false, reason: "not read yet" });
    const current = await identity.current();
    expect(current).toMatchObject({
      certificate: pair.certificate,
      privateKey: pair.key,
      authority: authority.certificatePem,
      principal: PRINCIPAL,
    });
    expect(current.notAfterMs - Date.now()).toBeLessThanOrEqual(60_000);
    expect(identity.state).toStrictEqual({ ready: true });
  });

  it("names the file that is absent or no PEM, and never quotes it", async () => {
    const identity = source();
    expect(await failureOf(identity.current())).toContain("cert.pem cannot be read: ENOENT");
    const pair = await issue();
    await write({ ...pair, key: "hunter2", ca: authority.certificatePem });
    const message = await failureOf(identity.current());
    expect(message).toContain("key.pem is not valid PEM");
    expect(message).not.toContain("hunter2");
    expect(identity.state).toStrictEqual({ ready: false, reason: message });
  });

  it("refuses a pair that does not match, is expired or does not hold yet", async () => {
    await write({ ...(await issue()), ca: authority.certificatePem });
    await write({ key: (await issue()).key });
    expect(await failureOf(source().current())).toContain("do not match");
    await write(await issue({ lifetimeMs: -1000 }));
    expect(await failureOf(source().current())).toContain("expired at");
    await write(await issue({ notBefore: new Date(Date.now() + 60_000) }));
    expect(await failureOf(source().current())).toContain("does not hold before");
  });

  it("keeps the old pair through a rotation, until both new files are there", async () => {
    const old = await issue();
    const next = await issue();
    await write({ ...old, ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    await write({ certificate: next.certificate });
    shiftMs += 1001;
    expect((await identity.current()).certificate).toBe(old.certificate);
    expect(identity.state).toStrictEqual({ ready: true });
    await write({ key: next.key });
    shiftMs += 1001;
    expect(await identity.current()).toMatchObject({
      certificate: next.certificate,
      privateKey: next.key,
    });
  });

  it("reads again only after the reload interval", async () => {
    const old = await issue();
    await write({ ...old, ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    const next = await issue();
    await write(next);
    shiftMs += 900;
    expect((await identity.current()).certificate).toBe(old.certificate);
    shiftMs += 101;
    expect((await identity.current()).certificate).toBe(next.certificate);
  });

  it("sees a renewed certificate by itself, also where nobody but a probe asks", async () => {
    await write({ ...(await issue({ lifetimeMs: 5000 })), ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    await write(await issue());
    shiftMs = 6000;
    await expect.poll(() => identity.state, { timeout: 5000 }).toStrictEqual({ ready: true });
  });

  it("is not ready, and throws, once its certificate has expired without a new one", async () => {
    await write({ ...(await issue({ lifetimeMs: 5000 })), ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    shiftMs = 6000;
    expect(identity.state).toMatchObject({
      ready: false,
      reason: expect.stringContaining("expired"),
    });
    expect(await failureOf(identity.current())).toContain("expired at");
    shiftMs = 0;
    await write(await issue());
    shiftMs = 6001;
    await identity.current();
    expect(identity.state).toStrictEqual({ ready: true });
  });
});
