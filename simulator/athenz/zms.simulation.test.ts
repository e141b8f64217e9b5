import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requestJson } from "#simulator/http/json-request.ts";
import type { JsonRequestOptions } from "#simulator/http/json-request.ts";
import { startAthenz } from "./server.ts";
import type { RunningAthenz } from "./server.ts";

const DOMAIN = "sre.tooling";
const ROLE = "paranoids.ppse.ckms.ykeykey_aws.res_group.bigpanda.keys.sre.access";
const MEMBER = "sre.kafka-consumer-nonprod-k8s.kafka-consumer";

let athenz: RunningAthenz;

beforeAll(async () => {
  athenz = await startAthenz();
});

afterAll(async () => {
  await athenz[Symbol.asyncDispose]();
});

const call = (path: string, options: JsonRequestOptions = {}) =>
  requestJson(`${athenz.zmsUrl}/domain/${DOMAIN}/role/${path}`, {
    authority: athenz.authority.certificatePem,
    ...options,
  });

describe("ZMS surface", () => {
  test("creates a role by PUT and shows it as the RDL's Role", async () => {
    const name = `${DOMAIN}:role.${ROLE}`;
    const created = await call(ROLE, {
      method: "PUT",
      body: { name, roleMembers: [{ memberName: "user.a" }] },
    });
    expect(created).toEqual({ status: 204, body: null });
    expect(await call(ROLE)).toMatchObject({
      status: 200,
      body: { name, roleMembers: [{ memberName: "user.a", active: true, approved: true }] },
    });
  });

  test("adds, shows and deletes a membership", async () => {
    athenz.zms.putRole(DOMAIN, ROLE);
    const path = `${ROLE}/member/${MEMBER}`;
    expect(await call(path)).toMatchObject({ status: 200, body: { isMember: false } });
    const added = await call(path, { method: "PUT", body: { memberName: MEMBER, roleName: ROLE } });
    expect(added).toEqual({ status: 204, body: null });
    expect(await call(path)).toEqual({
      status: 200,
      body: {
        memberName: MEMBER,
        isMember: true,
        roleName: `${DOMAIN}:role.${ROLE}`,
        active: true,
        approved: true,
      },
    });
    expect((await call(path, { method: "DELETE" })).status).toBe(204);
    expect(await call(path)).toMatchObject({ body: { isMember: false } });
    expect(await call(path, { method: "DELETE" })).toMatchObject({
      status: 404,
      body: { code: 404 },
    });
  });

  test.each([
    { given: "an unknown role", path: "nope/member/a.b", body: { memberName: "a.b" }, status: 404 },
    {
      given: "another member in the body",
      path: `${ROLE}/member/a.b`,
      body: { memberName: "a.c" },
      status: 400,
    },
    {
      given: "another role in the body",
      path: `${ROLE}/member/a.b`,
      body: { memberName: "a.b", roleName: "x" },
      status: 400,
    },
    { given: "no object", path: `${ROLE}/member/a.b`, body: [], status: 400 },
    { given: "no JSON", path: `${ROLE}/member/a.b`, body: "{", status: 400 },
    {
      given: "no member name",
      path: `${ROLE}/member/a..b`,
      body: { memberName: "a..b" },
      status: 400,
    },
    {
      given: "no timestamp",
      path: `${ROLE}/member/a.b`,
      body: { memberName: "a.b", expiration: "x" },
      status: 400,
    },
  ])("answers a ResourceError $status to $given", async ({ path, body, status }) => {
    athenz.zms.putRole(DOMAIN, ROLE);
    const answer = await call(path, { method: "PUT", body });
    expect(answer).toMatchObject({ status, body: { code: status, message: expect.any(String) } });
    expect(athenz.zms.role(DOMAIN, ROLE).roleMembers).toEqual([]);
  });

  test("lets a membership end at its expiration", async () => {
    athenz.zms.putRole(DOMAIN, ROLE);
    const body = { memberName: MEMBER, expiration: "2001-01-01T00:00:00.000Z" };
    await call(`${ROLE}/member/${MEMBER}`, { method: "PUT", body });
    expect(await call(`${ROLE}/member/${MEMBER}`)).toMatchObject({ body: { isMember: false } });
  });

  test("does not count a suspended member until its last suspension ends", async () => {
    athenz.zms.putRole(DOMAIN, ROLE, [MEMBER, "sre.other"]);
    const first = athenz.zms.suspendMember(DOMAIN, ROLE, MEMBER);
    const second = athenz.zms.suspendMember(DOMAIN, ROLE, MEMBER.toUpperCase());
    expect(await call(`${ROLE}/member/${MEMBER}`)).toMatchObject({
      body: { isMember: false, active: false },
    });
    expect(athenz.zms.isMember(DOMAIN, ROLE, "sre.other")).toBe(true);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(athenz.zms.isMember(DOMAIN, ROLE, MEMBER)).toBe(false);
    second[Symbol.dispose]();
    expect(await call(`${ROLE}/member/${MEMBER}`)).toMatchObject({
      body: { isMember: true, active: true },
    });
  });

  test("counts wildcard members and ignores case, as ZTS's access check shows", async () => {
    athenz.zms.putRole(DOMAIN, ROLE, ["SRE.kafka-consumer-nonprod-k8s.*"]);
    const granted = async (principal: string) => {
      const url = `${athenz.ztsUrl}/access/domain/${DOMAIN}/role/${ROLE}/principal/${principal}`;
      return (await requestJson(url, { authority: athenz.authority.certificatePem })).body;
    };
    expect(await granted(MEMBER)).toEqual({ granted: true });
    expect(await granted("sre.kafka-consumer-k8s.kafka-consumer")).toEqual({ granted: false });
  });
});
