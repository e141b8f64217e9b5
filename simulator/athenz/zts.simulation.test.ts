import { X509Certificate, createPrivateKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import type { JsonRequestOptions } from "#simulator/http/json-request.ts";
import { createKeyAndRequest } from "./certificate-request.ts";
import { createAuthority } from "#fixtures/certificates.ts";
import { startAthenz } from "./server.ts";
import type { RunningAthenz } from "./server.ts";
import { WITHHELD } from "./zts.ts";

const PROVIDER = "simulator.kubernetes";
const DOMAIN = "sre.kafka-consumer-nonprod-k8s";
const SERVICE = "kafka-consumer";
const PRINCIPAL = `${DOMAIN}.${SERVICE}`;

const request = (instanceId = "pod-1", commonName = PRINCIPAL) =>
  createKeyAndRequest({
    commonName,
    dnsNames: [`${SERVICE}.sre-kafka-consumer-nonprod-k8s.athenz.cloud`],
    uris: [`spiffe://${DOMAIN}/sa/${SERVICE}`, `athenz://instanceid/${PROVIDER}/${instanceId}`],
  });

const instancePath = (id: string) => `/instance/${PROVIDER}/${DOMAIN}/${SERVICE}/${id}`;

const information = (csr: string) => ({
  provider: PROVIDER,
  domain: DOMAIN,
  service: SERVICE,
  attestationData: "",
  csr,
});

const post = (
  athenz: RunningAthenz,
  path: string,
  body: unknown,
  options: JsonRequestOptions = {},
) =>
  requestJson(`${athenz.ztsUrl}${path}`, {
    method: "POST",
    body,
    authority: athenz.authority.certificatePem,
    ...options,
  });

async function register(athenz: RunningAthenz, instanceId = "pod-1") {
  const { requestPem, privateKeyPem } = request(instanceId);
  const { status, body } = await post(athenz, "/instance", information(requestPem));
  expect(status).toBe(201);
  return { certificatePem: textField(body, "x509Certificate"), privateKeyPem };
}

const matches = ({ instanceId }: { readonly instanceId: string | null }) => instanceId === "pod-1";

const subject = (pem: string) => new X509Certificate(pem).subject;

function textField(body: unknown, name: string): string {
  const value = jsonField(body, name);
  if (typeof value !== "string") throw new Error(`${name} is no text: ${JSON.stringify(body)}`);
  return value;
}

describe("ZTS surface", () => {
  test("answers a registration with a certificate that matches the key and names the principal", async () => {
    await using athenz = await startAthenz();
    const { requestPem, privateKeyPem } = request();
    const { status, body } = await post(athenz, "/instance", information(requestPem));
    expect(status).toBe(201);
    expect(body).toEqual({
      provider: PROVIDER,
      name: PRINCIPAL,
      instanceId: "pod-1",
      x509Certificate: expect.stringContaining("BEGIN CERTIFICATE"),
      x509CertificateSigner: athenz.authority.certificatePem,
    });
    const certificate = new X509Certificate(textField(body, "x509Certificate"));
    expect(certificate.subject).toBe(`CN=${PRINCIPAL}`);
    expect(certificate.checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
    expect(certificate.subjectAltName).toContain(`URI:athenz://instanceid/${PROVIDER}/pod-1`);
    expect(certificate.subjectAltName).toContain(
      "DNS:kafka-consumer.sre-kafka-consumer-nonprod-k8s.athenz.cloud",
    );
    expect(await athenz.control.events()).toMatchObject([
      { type: "registered", principal: PRINCIPAL, notAfterMs: Date.parse(certificate.validTo) },
    ]);
  });

  test("refreshes for the certificate that it issued", async () => {
    await using athenz = await startAthenz();
    const identity = await register(athenz);
    const { status, body } = await post(
      athenz,
      instancePath("pod-1"),
      { csr: request().requestPem },
      { identity },
    );
    expect(status).toBe(200);
    expect(jsonField(body, "x509Certificate")).not.toBe(identity.certificatePem);
    expect((await athenz.control.events()).map(({ type }) => type)).toEqual([
      "registered",
      "refreshed",
    ]);
  });

  test("refuses a refresh without a certificate, by another service, of another instance", async () => {
    await using athenz = await startAthenz();
    const identity = await register(athenz);
    const csr = request().requestPem;
    expect(await post(athenz, instancePath("pod-1"), { csr })).toMatchObject({
      status: 401,
      body: { code: 401 },
    });
    const issued = await athenz.authority.issue({ commonName: "sre.other" });
    expect(await post(athenz, instancePath("pod-1"), { csr }, { identity: issued })).toMatchObject({
      status: 403,
    });
    expect(await post(athenz, instancePath("pod-2"), { csr }, { identity })).toMatchObject({
      status: 400,
    });
    const unknown = { csr: request("pod-2").requestPem };
    expect(await post(athenz, instancePath("pod-2"), unknown, { identity })).toMatchObject({
      status: 403,
    });
  });

  test.each([
    { given: "a missing field", change: { provider: undefined } },
    {
      given: "a request for another principal",
      change: { csr: request("pod-1", "sre.other.service").requestPem },
    },
    { given: "a request of another provider", change: { provider: "another.provider" } },
    { given: "what is no request", change: { csr: "nonsense" } },
    { given: "an expiry that is no number", change: { expiryTime: "soon" } },
  ])("refuses $given with 400", async ({ change }) => {
    await using athenz = await startAthenz();
    const body = { ...information(request().requestPem), ...change };
    expect(await post(athenz, "/instance", body)).toMatchObject({
      status: 400,
      body: { code: 400 },
    });
  });

  test("issues nothing while certificates are withheld, and says so in its events", async () => {
    await using athenz = await startAthenz();
    {
      await using _withheld = await athenz.control.withholdCertificates();
      const answer = await post(athenz, "/instance", information(request().requestPem));
      expect(answer).toMatchObject({ status: 503, body: { code: 503 } });
    }
    await register(athenz);
    expect((await athenz.control.events()).map(({ type }) => type)).toEqual([
      "withheld",
      "registered",
    ]);
  });

  test("holds the requests that it is asked to hold until they are released, and lets others pass", async () => {
    await using athenz = await startAthenz();
    const seen: unknown[] = [];
    await using hold = athenz.zts.hold(({ type, principal, instanceId, isFirst }) => {
      seen.push({ type, principal, instanceId, isFirst });
      return instanceId === "pod-2";
    });
    const identity = await register(athenz);
    const held = register(athenz, "pod-2");
    const { requestPem } = request();
    const refreshed = await post(athenz, instancePath("pod-1"), { csr: requestPem }, { identity });
    expect(refreshed.status).toBe(200);
    expect(athenz.zts.events().map(({ type }) => type)).toEqual(["registered", "refreshed"]);
    hold.release();
    await held;
    await register(athenz, "pod-2");
    expect(athenz.zts.events()).toHaveLength(4);
    expect(seen).toEqual([
      { type: "registered", principal: PRINCIPAL, instanceId: "pod-1", isFirst: true },
      expect.objectContaining({ instanceId: "pod-2", isFirst: true }),
      expect.objectContaining({ type: "refreshed", instanceId: "pod-1", isFirst: false }),
    ]);
  });

  test("applies a fault to one instance only, and keeps it when another one ends", async () => {
    await using athenz = await startAthenz();
    const { faults } = athenz.zts;
    const first = faults.add({ action: WITHHELD, matches });
    await using second = faults.add({ action: WITHHELD, matches });
    const ask = async (instanceId: string) => {
      const { requestPem } = request(instanceId);
      return (await post(athenz, "/instance", information(requestPem))).status;
    };
    expect([await ask("pod-1"), await ask("pod-1"), await ask("pod-2")]).toEqual([503, 503, 201]);
    // Each fault has applied to one request: neither keeps the other from being applied.
    expect([await first.hits(), await second.hits()]).toEqual([1, 1]);
    await first[Symbol.asyncDispose]();
    expect(await ask("pod-1")).toBe(503);
    await second[Symbol.asyncDispose]();
    expect(await ask("pod-1")).toBe(201);
  });

  test.each([
    { type: "hang", expected: { name: "AbortError" } },
    { type: "reset", expected: { code: "ECONNRESET" } },
  ] as const)("records a request that met a fault: $type", async ({ type, expected }) => {
    await using athenz = await startAthenz();
    await using _fault = athenz.zts.faults.add({ action: { type } });
    const body = information(request().requestPem);
    const answer = post(athenz, "/instance", body, { timeoutMs: 150 });
    await expect(answer).rejects.toMatchObject(expected);
    expect(athenz.zts.events()).toMatchObject([
      { type: "withheld", principal: PRINCIPAL, instanceId: "pod-1", reason: type },
    ]);
  });

  test("issues the certificate of another identity to an instance, which can refresh it afterwards", async () => {
    await using athenz = await startAthenz();
    const change = athenz.zts.change({ instanceId: "pod-1", commonName: "sre.another-service" });
    const wrong = await register(athenz);
    expect(subject(wrong.certificatePem)).toBe("CN=sre.another-service");
    expect(subject((await register(athenz, "pod-2")).certificatePem)).toBe(`CN=${PRINCIPAL}`);
    change[Symbol.dispose]();
    const refresh = async (id: string) => {
      const csr = request(id).requestPem;
      return await post(athenz, instancePath(id), { csr }, { identity: wrong });
    };
    const { status, body } = await refresh("pod-1");
    expect(status).toBe(200);
    expect(subject(textField(body, "x509Certificate"))).toBe(`CN=${PRINCIPAL}`);
    expect((await refresh("pod-2")).status).toBe(403);
  });

  test.each([
    { withoutUsualAuthority: false, trusted: 2 },
    { withoutUsualAuthority: true, trusted: 1 },
  ])(
    "issues by a new authority, whose certificates it accepts itself, and lets instances trust $trusted authorities",
    async ({ withoutUsualAuthority, trusted }) => {
      await using athenz = await startAthenz();
      const authority = await createAuthority({ commonName: "the new authority" });
      const change = athenz.zts.change({ authority, withoutUsualAuthority });
      const { requestPem, privateKeyPem } = request();
      const { body } = await post(athenz, "/instance", information(requestPem));
      const certificatePem = textField(body, "x509Certificate");
      expect(new X509Certificate(certificatePem).issuer).toBe("CN=the new authority");
      const signers = textField(body, "x509CertificateSigner").match(/BEGIN CERTIFICATE/g);
      expect(signers).toHaveLength(trusted);
      change[Symbol.dispose]();
      const csr = request().requestPem;
      const identity = { certificatePem, privateKeyPem };
      const refreshed = await post(athenz, instancePath("pod-1"), { csr }, { identity });
      const issuer = new X509Certificate(textField(refreshed.body, "x509Certificate")).issuer;
      expect(issuer).toBe("CN=Athenz simulator CA");
    },
  );

  test("applies the last of several changes, and each ends by itself", async () => {
    await using athenz = await startAthenz();
    const issued = async () => subject((await register(athenz)).certificatePem);
    const first = athenz.zts.change({ commonName: "first" });
    using _second = athenz.zts.change({ commonName: "second" });
    expect(await issued()).toBe("CN=second");
    first[Symbol.dispose]();
    expect(await issued()).toBe("CN=second");
  });

  test("refuses an instance that its provider does not vouch for", async () => {
    await using athenz = await startAthenz({
      attest: ({ attestationData }) => attestationData === "good",
    });
    const body = information(request().requestPem);
    expect(await post(athenz, "/instance", body)).toMatchObject({ status: 403 });
    expect((await post(athenz, "/instance", { ...body, attestationData: "good" })).status).toBe(
      201,
    );
  });

  test("shortens lifetimes on demand, and a client may ask for less", async () => {
    await using athenz = await startAthenz({ lifetimeMs: 600_000 });
    await register(athenz);
    await athenz.control.setLifetime(5000);
    await register(athenz);
    await athenz.control.setLifetime(600_000);
    await post(athenz, "/instance", { ...information(request().requestPem), expiryTime: 1 });
    const lifetimes = (await athenz.control.events()).map(
      ({ notAfterMs = 0, atMs }) => Math.ceil((notAfterMs - atMs) / 1000) * 1000,
    );
    expect(lifetimes).toEqual([600_000, 5000, 60_000].map((ms) => expect.closeTo(ms, -4)));
  });

  test("starts fast", async () => {
    // The first start loads and compiles modules; the next start is the one that is measured.
    await (await startAthenz())[Symbol.asyncDispose]();
    const startedMs = performance.now();
    await using _athenz = await startAthenz();
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});
