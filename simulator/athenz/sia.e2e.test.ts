import { X509Certificate, createPrivateKey } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually, startSimulator } from "#simulator/process/simulator-process.ts";
import { startAthenz } from "./server.ts";
import type { RunningAthenz } from "./server.ts";

const PRINCIPAL = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";

describe("identity sidecar as a process", () => {
  test("writes a matching pair of its principal and the authority, the key for its owner alone", async () => {
    await using setup = await start();
    await eventually(async () => expect(await setup.pair()).not.toBeNull());
    const { certificate } = (await setup.pair()) ?? {};
    expect(certificate?.subject).toBe(`CN=${PRINCIPAL}`);
    const authorityPem = await readFile(join(setup.directory, "ca.cert.pem"), "utf8");
    expect(authorityPem).toBe(setup.athenz.authority.certificatePem);
    expect(certificate?.verify(new X509Certificate(authorityPem).publicKey)).toBe(true);
    const { mode } = await stat(join(setup.directory, "service.key.pem"));
    expect(mode & 0o777).toBe(0o600);
    expect((await readdir(setup.directory)).toSorted((a, b) => a.localeCompare(b))).toEqual([
      "ca.cert.pem",
      "service.cert.pem",
      "service.key.pem",
    ]);
  });

  test("writes and asks nothing before its delay is over", async () => {
    await using setup = await start({ SIA_DELAY_SECONDS: "0.4" });
    await setup.sidecar.listening();
    const startedMs = performance.now();
    await eventually(async () => expect(await names(setup.directory)).not.toEqual([]));
    // The process was running a little before its first line was seen.
    expect(performance.now() - startedMs).toBeGreaterThan(300);
    expect(await setup.athenz.control.events()).toHaveLength(1);
  });

  test("keeps asking while ZTS withholds certificates, and writes as soon as ZTS issues them", async () => {
    await using athenz = await startAthenz();
    const withheld = await athenz.control.withholdCertificates();
    await using setup = await start({}, athenz);
    await eventually(async () =>
      expect((await setup.athenz.control.events()).length).toBeGreaterThan(2),
    );
    expect(await names(setup.directory)).toEqual([]);
    expect(setup.sidecar.stdout()).toContain('"event":"identity.refused","status":503');
    await withheld[Symbol.asyncDispose]();
    await eventually(async () => expect(await setup.pair()).not.toBeNull());
  });

  test("never leaves a reader that keeps the old pair until both match without a pair", async () => {
    await using setup = await start({
      SIA_REFRESH_SECONDS: "0.03",
      SIA_ROTATION_GAP_SECONDS: "0.02",
    });
    await eventually(async () => expect(await setup.pair()).not.toBeNull());
    const serials = new Set<string>();
    let mismatches = 0;
    while (serials.size < 6) {
      const pair = await setup.pair();
      if (pair === null) mismatches += 1;
      else serials.add(pair.certificate.serialNumber);
    }
    // The moment between the renames can be observed: a reader has to survive it.
    expect(mismatches).toBeGreaterThan(0);
    const issued = (await setup.athenz.control.events()).map(({ serialNumber }) => serialNumber);
    expect(issued).toEqual(expect.arrayContaining([...serials]));
  });

  test("never shows half a file", async () => {
    await using setup = await start({ SIA_REFRESH_SECONDS: "0" });
    await eventually(async () => expect(await setup.pair()).not.toBeNull());
    const written = async () => (await setup.athenz.control.events()).length;
    for (let reads = 0; reads < 300 || (await written()) < 4; reads += 1) {
      const { certificate, key } = await setup.texts();
      expect(certificate).toMatch(/-----END CERTIFICATE-----\n$/);
      expect(key).toMatch(/-----END PRIVATE KEY-----\n$/);
    }
  });

  test("registers once and refreshes afterwards, when ZTS asks for it or SIGHUP arrives", async () => {
    await using setup = await start({ SIA_REFRESH_SECONDS: "3600" });
    const types = async () => (await setup.athenz.control.events()).map(({ type }) => type);
    await eventually(() => expect(setup.sidecar.stdout()).toContain("identity.written"));
    await setup.athenz.control.setRefreshAfter(20);
    setup.sidecar.signal("SIGHUP");
    await eventually(async () => expect((await types()).length).toBeGreaterThan(3));
    expect((await types()).slice(0, 4)).toEqual([
      "registered",
      "refreshed",
      "refreshed",
      "refreshed",
    ]);
  });

  test("registers again when its certificate expired while ZTS was silent", async () => {
    await using setup = await start({ SIA_REFRESH_SECONDS: "0.02" });
    await setup.athenz.control.setLifetime(1000);
    await eventually(() => expect(setup.sidecar.stdout()).toContain("identity.rotated"));
    const registered = async () =>
      (await setup.athenz.control.events()).filter(({ type }) => type === "registered").length;
    let before = 0;
    {
      await using _withheld = await setup.athenz.control.withholdCertificates();
      await eventually(async () => {
        const { certificate } = await setup.texts();
        expect(Date.parse(new X509Certificate(certificate).validTo)).toBeLessThan(Date.now());
      });
      before = await registered();
    }
    await eventually(async () => expect(await registered()).toBeGreaterThan(before));
  });

  test("ends at once on SIGTERM, during the delay too, and writes no key to its log", async () => {
    await using waiting = await start({ SIA_DELAY_SECONDS: "60" });
    await waiting.sidecar.listening();
    const startedMs = performance.now();
    expect(await waiting.sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(await names(waiting.directory)).toEqual([]);

    await using setup = await start();
    await eventually(async () => expect(await setup.pair()).not.toBeNull());
    expect(await setup.sidecar.stop()).toEqual({ code: 0, signal: null });
    expect(setup.sidecar.stdout()).not.toContain("PRIVATE KEY");
    expect(setup.sidecar.stderr()).toBe("");
  });

  test.each([
    { change: { ZTS_URL: "" }, message: "ZTS_URL must be set" },
    {
      change: { SIA_DELAY_SECONDS: "soon" },
      message: "SIA_DELAY_SECONDS must be a number of seconds",
    },
  ])("exits 2 and says $message", async ({ change, message }) => {
    await using setup = await start(change);
    expect(await setup.sidecar.ended).toEqual({ code: 2, signal: null });
    expect(setup.sidecar.stderr()).toContain(message);
  });
});

async function start(env: Readonly<Record<string, string>> = {}, given?: RunningAthenz) {
  const root = await mkdtemp(join(tmpdir(), "sia-"));
  const directory = join(root, "identity");
  const athenz = given ?? (await startAthenz());
  const sidecar = startSimulator(["athenz-sia"], {
    ZTS_URL: athenz.ztsUrl,
    ZTS_CA: athenz.authority.certificatePem,
    ATHENZ_DOMAIN: "sre.kafka-consumer-nonprod-k8s",
    ATHENZ_SERVICE: "kafka-consumer",
    SIA_OUTPUT_DIR: directory,
    SIA_RETRY_SECONDS: "0.02",
    POD_UID: "4a1b",
    ...env,
  });
  const texts = async () => ({
    certificate: await readFile(join(directory, "service.cert.pem"), "utf8"),
    key: await readFile(join(directory, "service.key.pem"), "utf8"),
  });
  return {
    athenz,
    directory,
    sidecar,
    texts,
    /** Returns null while the pair does not exist or does not match. */
    pair: async () => {
      const read = await texts().catch(() => null);
      if (read === null) return null;
      const certificate = new X509Certificate(read.certificate);
      return certificate.checkPrivateKey(createPrivateKey(read.key)) ? { certificate } : null;
    },
    [Symbol.asyncDispose]: async () => {
      await sidecar[Symbol.asyncDispose]();
      await athenz[Symbol.asyncDispose]();
      await rm(root, { recursive: true });
    },
  };
}

async function names(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}
