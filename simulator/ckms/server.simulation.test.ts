import { describe, expect, vi, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { startAthenz } from "#simulator/athenz/server.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import type { JsonRequestOptions } from "#simulator/http/json-request.ts";
import { remoteRoleChecker } from "./role-checker.ts";
import type { RoleChecker } from "./role-checker.ts";
import { accessRole, startCkms } from "./server.ts";

const KEY_GROUP = "bigpanda.keys.sre";
const NAME = "bigpanda-prod-scram-key";
const PRINCIPAL = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";
const ROLE = "paranoids.ppse.ckms.ykeykey_aws.res_group.bigpanda.keys.sre.access";

const UNAVAILABLE = { type: "status", status: 503, message: "CKMS is unavailable" } as const;

async function start(roles?: RoleChecker) {
  const athenz = await startAthenz();
  const { authority } = athenz;
  athenz.zms.putRole("sre.tooling", accessRole(KEY_GROUP));
  const ckms = await startCkms({
    server: await authority.issue({ commonName: "ckms", ipAddresses: ["127.0.0.1"] }),
    authorityPem: authority.certificatePem,
    // This one asks over HTTP, as in production. The in-process checker is athenz.zms.
    roles:
      roles ?? remoteRoleChecker({ ztsUrl: athenz.ztsUrl, authorityPem: authority.certificatePem }),
  });
  const identity = await authority.issue({ commonName: PRINCIPAL });
  await ckms.control.putSecret(KEY_GROUP, NAME, "s3cret ünd more");
  return {
    athenz,
    ckms,
    control: ckms.control,
    get: (name = NAME, options: JsonRequestOptions = {}) =>
      requestJson(`${ckms.url}/v1/keygroups/${KEY_GROUP}/keys/${name}`, {
        authority: authority.certificatePem,
        identity,
        ...options,
      }),
    grant: () => athenz.control.addMember("sre.tooling", ROLE, PRINCIPAL),
    [Symbol.asyncDispose]: async () => {
      await ckms[Symbol.asyncDispose]();
      await athenz[Symbol.asyncDispose]();
    },
  };
}

describe("CKMS", () => {
  test("denies a named principal, grants when the role gains it, and denies when the role loses it", async () => {
    await using setup = await start();
    const message = `principal ${PRINCIPAL} is not a member of role sre.tooling:role.${ROLE}`;
    expect(await setup.get()).toEqual({ status: 403, body: { code: 403, message } });
    await setup.grant();
    const value = Buffer.from("s3cret ünd more").toString("base64");
    expect(await setup.get()).toEqual({
      status: 200,
      body: { name: NAME, keyGroup: KEY_GROUP, version: 1, value },
    });
    await setup.athenz.control.deleteMember("sre.tooling", ROLE, PRINCIPAL);
    expect((await setup.get()).status).toBe(403);
  });

  test("returns the next version after a rotation", async () => {
    await using setup = await start();
    await setup.grant();
    expect(await setup.control.putSecret(KEY_GROUP, NAME, "next")).toBe(2);
    const value = Buffer.from("next").toString("base64");
    expect((await setup.get()).body).toMatchObject({ version: 2, value });
  });

  test("answers 404 for an unknown secret, and only to callers that may know", async () => {
    await using setup = await start();
    expect((await setup.get("unknown")).status).toBe(403);
    await setup.grant();
    expect(await setup.get("unknown")).toMatchObject({ status: 404, body: { code: 404 } });
    await setup.control.removeSecret(KEY_GROUP, NAME);
    expect((await setup.get()).status).toBe(404);
  });

  test("ends the connection of a client without a certificate", async () => {
    await using setup = await start();
    await expect(setup.get(NAME, { identity: undefined })).rejects.toThrow(
      /alert|ECONNRESET|hang up|EPIPE/,
    );
    expect((await setup.control.requests()).filter(({ status }) => status !== 0)).toEqual([]);
  });

  test("ends the connection of a client of another authority, whatever name it carries", async () => {
    await using setup = await start();
    await setup.grant();
    const other = await createAuthority();
    const identity = await other.issue({ commonName: PRINCIPAL });
    await expect(setup.get(NAME, { identity })).rejects.toThrow(/alert|ECONNRESET|hang up|EPIPE/);
    expect((await setup.control.requests()).filter(({ status }) => status !== 0)).toEqual([]);
  });

  test("ends the connection of a client whose certificate has expired", async () => {
    await using setup = await start();
    await setup.grant();
    const identity = await setup.athenz.authority.issue({
      commonName: PRINCIPAL,
      lifetimeMs: -1000,
    });
    await expect(setup.get(NAME, { identity })).rejects.toThrow(/alert|ECONNRESET|hang up|EPIPE/);
  });

  test("is not trusted by a client that trusts another authority", async () => {
    await using setup = await start();
    const authority = (await createAuthority()).certificatePem;
    await expect(setup.get(NAME, { authority })).rejects.toMatchObject({
      code: "SELF_SIGNED_CERT_IN_CHAIN",
    });
  });

  test("records callers and requests, without values", async () => {
    await using setup = await start();
    const startedMs = Date.now();
    await setup.get();
    await setup.grant();
    await setup.get();
    const requests = await setup.control.requests();
    expect(requests).toMatchObject([
      { principal: PRINCIPAL, name: NAME, status: 403 },
      { principal: PRINCIPAL, name: NAME, status: 200 },
    ]);
    expect(requests[0]?.atMs).toBeGreaterThanOrEqual(startedMs);
    expect(JSON.stringify(requests)).not.toContain("s3cret");
  });

  test.each([
    { action: UNAVAILABLE, answered: { status: 503, body: { message: "CKMS is unavailable" } } },
    { action: { type: "reset" }, answered: { code: "ECONNRESET" } },
    { action: { type: "hang" }, answered: { name: "AbortError" } },
  ] as const)("meets a fault, $action.type, until it ends", async ({ action, answered }) => {
    await using setup = await start();
    await setup.grant();
    {
      await using fault = await setup.control.addFault({ action });
      const answer: unknown = await setup
        .get(NAME, { timeoutMs: 150 })
        .catch((error: unknown) => error);
      expect(answer).toMatchObject(answered);
      expect(await fault.hits()).toBe(1);
      // The server notices only a moment later that the client has given up.
      await vi.waitFor(async () => expect(await setup.control.requests()).toHaveLength(1));
    }
    expect((await setup.get()).status).toBe(200);
    const statuses = (await setup.control.requests()).map(({ status }) => status);
    expect(statuses).toEqual([action.type === "status" ? 503 : 0, 200]);
  });

  test("keeps a fault when another one ends", async () => {
    await using setup = await start();
    await setup.grant();
    const first = await setup.control.addFault({ action: UNAVAILABLE });
    await using _second = await setup.control.addFault({ action: UNAVAILABLE });
    await first[Symbol.asyncDispose]();
    expect((await setup.get()).status).toBe(503);
  });

  test("answers a request that a fault left unanswered once the fault ends", async () => {
    await using setup = await start();
    await setup.grant();
    const fault = await setup.control.addFault({ action: { type: "hang" } });
    const asked = setup.get();
    await vi.waitFor(async () => expect(await fault.hits()).toBe(1));
    await fault[Symbol.asyncDispose]();
    expect((await asked).status).toBe(200);
  });

  test("applies a fault to the selected requests only", async () => {
    await using setup = await start();
    await setup.grant();
    await using _fault = await setup.control.addFault({
      action: UNAVAILABLE,
      matches: ({ name, principal }) => name === "another" && principal === PRINCIPAL,
    });
    expect((await setup.get()).status).toBe(200);
    expect((await setup.get("another")).status).toBe(503);
  });

  test("trusts another authority until that is revoked, and records issuers and refused clients", async () => {
    await using setup = await start();
    await setup.grant();
    const other = await createAuthority({ commonName: "another authority" });
    const identity = await other.issue({ commonName: PRINCIPAL });
    const trust = await setup.control.trust(other.certificatePem);
    expect((await setup.get(NAME, { identity })).status).toBe(200);
    expect((await setup.get()).status).toBe(200);
    await trust[Symbol.asyncDispose]();
    await expect(setup.get(NAME, { identity })).rejects.toThrow(/alert|ECONNRESET|hang up|EPIPE/);
    expect((await setup.get()).status).toBe(200);
    expect(await setup.control.requests()).toMatchObject([
      { issuer: "another authority", status: 200, refusal: null },
      { issuer: "Athenz simulator CA", status: 200, refusal: null },
      { issuer: null, status: 0, refusal: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
      { issuer: "Athenz simulator CA", status: 200 },
    ]);
  });

  test("returns no secret when the role cannot be checked", async () => {
    const roles = { isMember: () => Promise.reject(new Error("ZTS is away")) };
    await using setup = await start(roles);
    const { status, body } = await setup.get();
    expect(status).toBe(503);
    expect(JSON.stringify(body)).not.toContain("value");
  });

  test("can also check roles in this process", async () => {
    await using athenz = await startAthenz();
    await using setup = await start(athenz.zms);
    expect((await setup.get()).status).toBe(403);
    athenz.zms.putRole("sre.tooling", ROLE, [PRINCIPAL]);
    expect((await setup.get()).status).toBe(200);
  });
});
