import { execFile } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority } from "#fixtures/certificates.ts";

import { hasCode } from "#consumer/errors.ts";
import type { Clock, Log } from "#consumer/ports.ts";
import { createIdentitySource } from "./identity.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

const PRINCIPAL = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";

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

function source(log: Log = createRecordedLog()) {
  return createIdentitySource({ ...paths(), reloadIntervalMs: 1000, clock, log });
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

const expiredPem = async () => (await createAuthority({ lifetimeMs: -1000 })).certificatePem;

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(hasCode(error, "identity-unusable")).toBe(true);
  return error instanceof Error ? error.message : "";
}

describe("Athenz identity", () => {
  test("reads pair, authorities, principal and end of validity", async () => {
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

  test("names the file that is absent or no PEM, and never quotes it", async () => {
    const identity = source();
    expect(await failureOf(identity.current())).toContain("cert.pem cannot be read: ENOENT");
    const pair = await issue();
    await write({ ...pair, key: "hunter2", ca: authority.certificatePem });
    const message = await failureOf(identity.current());
    expect(message).toContain("key.pem is not valid PEM");
    expect(message).not.toContain("hunter2");
    expect(identity.state).toStrictEqual({ ready: false, reason: message });
  });

  test("refuses a pair that does not match, is expired or does not hold yet", async () => {
    await write({ ...(await issue()), ca: authority.certificatePem });
    await write({ key: (await issue()).key });
    expect(await failureOf(source().current())).toContain("do not match");
    await write(await issue({ lifetimeMs: -1000 }));
    expect(await failureOf(source().current())).toContain("expired at");
    await write(await issue({ notBefore: new Date(Date.now() + 60_000) }));
    expect(await failureOf(source().current())).toContain("does not hold before");
  });

  test("keeps the old pair through a rotation, until both new files are there", async () => {
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

  test("says after a minute why the files on disk are not used, until they are again", async () => {
    const old = await issue();
    await write({ ...old, ca: authority.certificatePem });
    const log = createRecordedLog();
    const identity = source(log);
    await identity.current();
    await write({ certificate: (await issue()).certificate });
    const keptAfter = async (ms: number) => {
      shiftMs += ms;
      expect((await identity.current()).certificate).toBe(old.certificate);
      const { state } = identity;
      await identity.current();
      return state;
    };
    const warnings = () => log.lines.filter(({ level }) => level === "warn");
    await keptAfter(1001);
    expect(await keptAfter(50_000)).toStrictEqual({ ready: true });
    expect(warnings()).toEqual([]);
    const reason = `${paths().certificate} and ${paths().key} do not match`;
    const unready = { ready: false, reason: expect.stringContaining(reason) };
    expect(await keptAfter(10_000)).toMatchObject(unready);
    expect(await keptAfter(60_000)).toMatchObject(unready);
    // Once, and again when the reason is another one.
    expect(warnings()).toMatchObject([
      { event: "identity.kept", fields: { reason: expect.stringContaining(reason) } },
    ]);
    await rm(paths().key);
    expect(await keptAfter(5000)).toMatchObject({
      reason: expect.stringContaining("key.pem cannot be read: ENOENT"),
    });
    expect(warnings()).toHaveLength(2);
    const next = await issue();
    await write(next);
    shiftMs += 1000;
    expect((await identity.current()).certificate).toBe(next.certificate);
    expect(identity.state).toStrictEqual({ ready: true });
    expect(log.of("identity.usable")).toHaveLength(1);
  });

  test("is not ready in between either, when the files go on failing again and again", async () => {
    const pair = await issue();
    await write({ ...pair, ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    const after = async (ms: number) => {
      shiftMs += ms;
      await identity.current();
      const { ready } = identity.state;
      // Asking for the state began another reading.
      await identity.current();
      return ready;
    };
    await write({ key: "" });
    await after(1001);
    expect(await after(61_000)).toBe(false);
    await write(pair);
    expect(await after(1001)).toBe(true);
    await write({ key: "" });
    expect(await after(1001)).toBe(false);
    await write(pair);
    expect(await after(1001)).toBe(false);
    expect(await after(16_000)).toBe(true);
  });

  test("takes a bundle with comments and expired blocks for the authorities that hold", async () => {
    const expired = (await createAuthority({ lifetimeMs: -1000 })).certificatePem;
    const other = (await createAuthority()).certificatePem;
    const good = authority.certificatePem;
    await write({
      ...(await issue()),
      ca: `# first\n${expired}\nsubject=CN = x\r\n${good.replaceAll("\n", "\r\n")}# second\n${other}# end`,
    });
    const log = createRecordedLog();
    const identity = await source(log).current();
    expect(identity.authority.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(identity.authority).toContain(other.trim());
    expect(log.lines).toMatchObject([
      {
        level: "warn",
        event: "identity.warning",
        fields: { reason: expect.stringMatching(/ca\.pem, line 2: expired at 20.*: left out/) },
      },
    ]);
  });

  test("checks every block of a bundle of authorities, and names file and line", async () => {
    const pair = await issue();
    const good = authority.certificatePem;
    const lines = good.trimEnd().split("\n");
    const damaged = good.replace(/^(.{64}\n)(.{10})/m, (_all, line) => `${String(line)}!!!!!!!!!!`);
    const broken = good.replace(/\n(.{8})/, "\nAAAAAAAA");
    const cases: readonly (readonly [string | Buffer, string])[] = [
      [`${good}${broken}`, `line ${String(lines.length + 1)}: is not a certificate`],
      [
        `${good}${damaged.slice(0, 200)}`,
        `line ${String(lines.length + 1)}: begins a block that does not end`,
      ],
      [`${good}${lines.slice(2).join("\n")}\n`, "ends a block that does not begin"],
      [`${good}-----BEGIN CERTIFICATE-----\n${good}`, "begins a block that does not end"],
      [`${good}${pair.key}`, `line ${String(lines.length + 1)}: holds a private key`],
      [pair.key, "line 1: holds a private key"],
      [await expiredPem(), "line 1: expired at"],
      [pair.certificate, "holds no certificate of an authority"],
      [`${good}\u0000\u0001`, "is not PEM text"],
      [Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0xfe])]), "is not PEM text"],
      [Buffer.from(lines.slice(1, -1).join(""), "base64"), "is DER"],
      ["# nothing\n", "holds no certificate"],
      ["", "is empty"],
    ];
    for (const [ca, reason] of cases) {
      await write(pair);
      await writeFile(paths().ca, ca);
      const message = await failureOf(source().current());
      expect(message).toContain(paths().ca);
      expect(message).toContain(reason);
      expect(message).not.toMatch(/MII|[A-Za-z0-9+/]{40}/);
    }
  });

  test("checks every block of its own chain, and says which one has to be the first", async () => {
    const pair = await issue();
    const intermediate = (await createAuthority()).certificatePem;
    const writeChain = (certificate: string) =>
      write({ ...pair, certificate, ca: authority.certificatePem });
    await writeChain(`${pair.certificate}${intermediate}`);
    expect((await source().current()).certificate).toContain(intermediate.trim());
    await writeChain(`${intermediate}${pair.certificate}`);
    expect(await failureOf(source().current())).toContain(
      "the certificate of the key is not the first block",
    );
    await writeChain(`${pair.certificate}${intermediate.slice(0, 100)}`);
    expect(await failureOf(source().current())).toContain("begins a block that does not end");
    await writeChain(`${pair.certificate}${pair.key}`);
    expect(await failureOf(source().current())).toContain("holds a private key");
    await writeChain(
      Buffer.from(pair.certificate.split("\n").slice(1, -2).join(""), "base64").toString("latin1"),
    );
    expect(await failureOf(source().current())).toContain("cert.pem is DER");
  });

  test("says of a key that it is encrypted, and of a file that it is none or too large", async () => {
    const pair = await issue();
    const encrypted = createPrivateKey(pair.key).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "hunter2",
    });
    await write({ ...pair, key: String(encrypted), ca: authority.certificatePem });
    expect(await failureOf(source().current())).toContain("key.pem is encrypted");
    await write({ key: "x".repeat(5_000_000) });
    expect(await failureOf(source().current())).toContain("key.pem is larger than");
    await rm(paths().key);
    await mkdir(paths().key);
    expect(await failureOf(source().current())).toContain("key.pem is a directory");
    await rm(paths().key, { recursive: true });
    await promisify(execFile)("mkfifo", [paths().key]);
    expect(await failureOf(source().current())).toContain("key.pem is not a regular file");
  });

  test("reads again only after the reload interval", async () => {
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

  test("sees a renewed certificate by itself, also where nobody but a probe asks", async () => {
    await write({ ...(await issue({ lifetimeMs: 5000 })), ca: authority.certificatePem });
    const identity = source();
    await identity.current();
    await write(await issue());
    shiftMs = 6000;
    await expect.poll(() => identity.state, { timeout: 5000 }).toStrictEqual({ ready: true });
  });

  test("is not ready, and throws, once its certificate has expired without a new one", async () => {
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
