import { delay } from "msw";
import { HttpResponse, http } from "msw/http";
import { setupServer } from "msw/node";
import { beforeAll, describe, expect, test } from "vitest";

import { createAuthority } from "#fixtures/certificates.ts";
import { startCkms } from "#simulator/ckms/server.ts";

import { hasCode } from "#consumer/errors.ts";
import type { IdentitySource } from "#consumer/ports.ts";
import { createSecrets } from "./ckms.ts";
import { createRecordedLog } from "#fixtures/ports/observers.ts";

const URL_OF_SECRET =
  "https://ckms.test/v1/keygroups/bigpanda.keys.sre/keys/bigpanda-prod-scram-key";
const NAME = "bigpanda-prod-scram-key";

const authority = await createAuthority();
const client = await authority.issue({ commonName: "sre.kafka-consumer" });

const identity: IdentitySource = {
  current: async () => ({
    certificate: client.certificatePem,
    privateKey: client.privateKeyPem,
    authority: authority.certificatePem,
    principal: "sre.kafka-consumer",
    notAfterMs: Number.MAX_SAFE_INTEGER,
  }),
  state: { ready: true },
};

const secretsOf = (
  url = "https://ckms.test",
  requestTimeoutMs = 2000,
  log: ReturnType<typeof createRecordedLog> = createRecordedLog(),
) => createSecrets({ url, keyGroup: "bigpanda.keys.sre", requestTimeoutMs, identity, log });

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`no failure but ${String(value)}`);
    },
    (error: unknown) => error,
  );
}

describe("what CKMS answers", () => {
  const server = setupServer();
  beforeAll(() => {
    server.listen();
    return () => server.close();
  });
  const answers = (body: object | string, status = 200) =>
    server.use(
      http.get(URL_OF_SECRET, () =>
        typeof body === "string"
          ? new HttpResponse(body, { status })
          : HttpResponse.json(body, { status }),
      ),
    );

  test("is decoded", async () => {
    answers({ name: NAME, version: 1, value: Buffer.from("pässword").toString("base64") });
    const secrets = secretsOf("https://ckms.test/");
    expect(secrets.state).toStrictEqual({ ready: false, reason: "not fetched yet" });
    expect(await secrets.fetch(NAME)).toBe("pässword");
    expect(secrets.state).toStrictEqual({ ready: true });
  });

  test.each([
    ["a\n", "a line break at its end"],
    ["a\r\n", "a line break at its end"],
    [" a", "white space"],
    ["a\u00a0", "white space"],
    ["a \n", "left out and white space"],
  ])(
    "with the secret %j is used, without one line break at its end, and warned of",
    async (...row) => {
      const [text, what] = row;
      answers({ value: Buffer.from(text).toString("base64") });
      const log = createRecordedLog();
      const secrets = secretsOf("https://ckms.test", 2000, log);
      for (let fetches = 0; fetches < 2; fetches += 1) {
        expect(await secrets.fetch(NAME)).toBe(text.replace(/\r?\n$/, ""));
      }
      expect(log.lines).toEqual([
        {
          level: "warn",
          event: "secret.warning",
          fields: { name: NAME, reason: expect.stringContaining(what) },
        },
      ]);
    },
  );

  test.each([
    ["latin-1", Buffer.from("hunter\xe9", "latin1"), "is binary"],
    ["random bytes", Buffer.from("00ff10a0c3288b", "hex"), "is binary"],
    ["an overlong form", Buffer.from("hunter\xc0\x80", "latin1"), "is binary"],
    ["UTF-16", Buffer.from("\uFEFFhunter2", "utf16le"), "is binary"],
    ["UTF-16 without a mark", Buffer.from("hunter2", "utf16le"), "control character (U+0000)"],
    ["a byte order mark", Buffer.from("\uFEFFhunter2"), "begins with a byte order mark"],
    ["a zero byte", Buffer.from("hunter2\0"), "control character (U+0000)"],
    ["a tab", Buffer.from("hunter2\t"), "control character (U+0009)"],
    ["two line breaks", Buffer.from("hunter2\n\n"), "control character (U+000A)"],
    ["two lines", Buffer.from("hunter2\r\nhunter3"), "control character (U+000D)"],
    ["a line separator", Buffer.from("hunter2\u2028"), "control character (U+2028)"],
    ["nothing", Buffer.from(""), "is empty"],
    ["a line break alone", Buffer.from("\n"), "is empty"],
    ["white space alone", Buffer.from(" \u00a0 "), "is empty"],
  ])("with %s as secret is refused by its name and reason, never its content", async (...row) => {
    const [, bytes, reason] = row;
    answers({ value: bytes.toString("base64") });
    const log = createRecordedLog();
    const failure = await failureOf(secretsOf("https://ckms.test", 2000, log).fetch(NAME));
    expect(hasCode(failure, "secret-unavailable")).toBe(true);
    expect(String(failure)).toContain(`secret ${NAME} of bigpanda.keys.sre`);
    expect(String(failure)).toContain(reason);
    expect(String(failure) + JSON.stringify(log.lines)).not.toMatch(/hunter|68756e|aHVud/);
  });

  test.each(["aHVudGVyMh==", "aHVudGVy=Mg", "A", "=", "aHVudGVyMg=", "aHVud-_y"])(
    "with %s for a value is refused: it is no base64",
    async (value) => {
      answers({ value });
      const failure = await failureOf(secretsOf().fetch(NAME));
      expect(String(failure)).toContain("the answer holds no base64 value");
      expect(String(failure)).not.toContain("aHV");
    },
  );

  test("with 403 is a denial, with the server's words", async () => {
    answers({ code: 403, message: "principal x is not\na member of role y" }, 403);
    const secrets = secretsOf();
    const failure = await failureOf(secrets.fetch(NAME));
    expect(hasCode(failure, "secret-denied")).toBe(true);
    expect(String(failure)).toContain("principal x is not a member of role y");
    expect(secrets.state).toMatchObject({
      ready: false,
      reason: expect.stringContaining("not a member of role y"),
    });
  });

  test.each([
    ["an unknown secret", { code: 404 }, 404, "does not know it"],
    ["an error", "oops", 500, "HTTP 500"],
    ["a redirect", "", 302, "HTTP 302"],
    ["no JSON", "<html>", 200, "no base64 value"],
    ["no value", { name: NAME }, 200, "no base64 value"],
    ["a value that is no base64", { value: "not base64!" }, 200, "no base64 value"],
    ["a body without end", "x".repeat(100_000), 200, "no base64 value"],
  ])("with %s is unavailable, and never repeats the body", async (_what, body, status, message) => {
    answers(body, status);
    const failure = await failureOf(secretsOf().fetch(NAME));
    expect(hasCode(failure, "secret-unavailable")).toBe(true);
    expect(String(failure)).toContain(message);
    expect(String(failure)).not.toContain("not base64!");
  });

  test("too late is unavailable", async () => {
    server.use(
      http.get(URL_OF_SECRET, async () => {
        await delay(5000);
        return HttpResponse.json({});
      }),
    );
    const failure = await failureOf(secretsOf("https://ckms.test", 100).fetch(NAME));
    expect(hasCode(failure, "secret-unavailable")).toBe(true);
    expect(String(failure)).toContain("no answer within 100 ms");
  });

  test("is not waited for once the caller gives up", async () => {
    server.use(http.get(URL_OF_SECRET, () => delay("infinite")));
    const giveUp = new AbortController();
    const failure = failureOf(secretsOf().fetch(NAME, giveUp.signal));
    giveUp.abort(new Error("stopping"));
    expect(String(await failure)).toContain("stopping");
  });
});

describe("over mTLS", () => {
  const members = new Set<string>();
  async function ckms() {
    const server = await authority.issue({ commonName: "ckms", ipAddresses: ["127.0.0.1"] });
    const running = await startCkms({
      server,
      authorityPem: authority.certificatePem,
      roles: { isMember: (_domain, _role, principal) => members.has(principal) },
    });
    running.secrets.put("bigpanda.keys.sre", NAME, "correct horse");
    return running;
  }

  test("the identity is presented, denied and then granted", async () => {
    await using running = await ckms();
    const secrets = secretsOf(running.url);
    members.clear();
    const failure = await failureOf(secrets.fetch(NAME));
    expect(hasCode(failure, "secret-denied")).toBe(true);
    members.add("sre.kafka-consumer");
    expect(await secrets.fetch(NAME)).toBe("correct horse");
  });

  test("a server that is not of our authority is not trusted", async () => {
    await using running = await ckms();
    const other = await createAuthority({ commonName: "somebody else" });
    const secrets = createSecrets({
      url: running.url,
      keyGroup: "bigpanda.keys.sre",
      requestTimeoutMs: 2000,
      log: createRecordedLog(),
      identity: {
        current: async () => ({ ...(await identity.current()), authority: other.certificatePem }),
        state: { ready: true },
      },
    });
    const failure = await failureOf(secrets.fetch(NAME));
    expect(hasCode(failure, "secret-unavailable")).toBe(true);
    expect(await running.control.requests()).not.toContainEqual(
      expect.objectContaining({ status: 200 }),
    );
  });

  test("nobody at home is unavailable, with the address", async () => {
    const running = await ckms();
    await running[Symbol.asyncDispose]();
    const failure = await failureOf(secretsOf(running.url).fetch(NAME));
    expect(hasCode(failure, "secret-unavailable")).toBe(true);
    expect(String(failure)).toContain(`${running.url}: `);
    expect(String(failure)).toContain("ECONNREFUSED");
  });
});
