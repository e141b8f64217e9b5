import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { RequestListener, Server as HttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { Server, Socket } from "node:net";

import { HttpResponse, http } from "msw/http";
import { setupServer } from "msw/node";
import { afterEach, beforeAll, describe, expect, test } from "vitest";

import { createAuthority } from "#fixtures/certificates.ts";
import type { Authority, IssuedCertificate } from "#fixtures/certificates.ts";
import { listenOnLoopback } from "#fixtures/listeners.ts";

import { ConsumerError } from "#consumer/errors.ts";
import type { HttpAction, IdentitySource, SendResult } from "#consumer/ports.ts";
import { sendHttp } from "./http-action.ts";
import { resultOfFailure } from "./http-failure.ts";

const TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
let authority: Authority;
let server: IssuedCertificate;
let client: IssuedCertificate;
let cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  authority = await createAuthority();
  server = await authority.issue({ commonName: "target", ipAddresses: ["127.0.0.1"] });
  client = await authority.issue({ commonName: "sre.kafka-consumer" });
});

afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

const ACTION: HttpAction = {
  type: "http",
  method: "POST",
  url: "https://tickets.test/issues",
  headers: { "x-team": "sre" },
  body: '{"incident":"1"}',
  notAppliedStatuses: [],
  useIdentity: false,
};

const NO_IDENTITY: IdentitySource = {
  current: async () => {
    throw new ConsumerError("identity-unusable", "there is none");
  },
  state: { ready: false, reason: "there is none" },
};

function identityOf(pair: IssuedCertificate, trusted = authority): IdentitySource {
  return {
    current: async () => ({
      certificate: pair.certificatePem,
      privateKey: pair.privateKeyPem,
      authority: trusted.certificatePem,
      principal: "sre.kafka-consumer",
      notAfterMs: Number.MAX_SAFE_INTEGER,
    }),
    state: { ready: true },
  };
}

function send(
  action: Partial<HttpAction>,
  options: { deadlineMs?: number; identity?: IdentitySource } = {},
): Promise<SendResult> {
  return sendHttp(
    { ...ACTION, ...action },
    {
      idempotencyKey: "0123abcd",
      traceparent: TRACEPARENT,
      deadlineMs: options.deadlineMs ?? 5000,
      identity: options.identity ?? NO_IDENTITY,
    },
  );
}

/** Listens on loopback until the test ends, connections and all. */
async function listen(listener: Server | HttpServer): Promise<number> {
  const sockets = new Set<Socket>();
  listener.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  cleanup.defer(async () => {
    const closed = once(listener, "close");
    listener.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return listenOnLoopback(listener);
}

const httpUrl = async (listener: RequestListener) =>
  `http://127.0.0.1:${String(await listen(createHttpServer(listener)))}/`;

describe("what an endpoint answers", () => {
  const endpoint = setupServer();
  beforeAll(() => {
    endpoint.listen();
    return () => endpoint.close();
  });

  test.each([
    [200, "done"],
    [204, "done"],
    [301, "rejected"],
    [307, "rejected"],
    [400, "rejected"],
    [404, "rejected"],
    [409, "rejected"],
    [408, "in-doubt"],
    [425, "in-doubt"],
    [429, "in-doubt"],
    [500, "in-doubt"],
    [503, "in-doubt"],
  ])("takes %i for %s", async (status, outcome) => {
    endpoint.use(http.all(ACTION.url, () => new HttpResponse(null, { status })));
    expect(await send({})).toMatchObject({
      outcome,
      detail: expect.stringContaining(`HTTP ${String(status)}`),
    });
  });

  test.each([429, 503])("takes %i for not applied when the rule says so", async (status) => {
    endpoint.use(http.all(ACTION.url, () => new HttpResponse("busy", { status })));
    expect(await send({ notAppliedStatuses: [429, 503] })).toStrictEqual({
      outcome: "failed-not-applied",
      detail: `HTTP ${String(status)}: busy`,
    });
  });

  test("sends key, headers and body once, and never follows a redirect", async () => {
    const requests: Request[] = [];
    endpoint.use(
      http.all("https://tickets.test/*", ({ request }) => {
        requests.push(request.clone());
        return new HttpResponse(null, { status: 307, headers: { location: "/elsewhere" } });
      }),
    );
    expect(await send({})).toMatchObject({
      outcome: "rejected",
      detail: "HTTP 307: to /elsewhere",
    });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.method).toBe("POST");
    expect(requests[0]?.headers.get("idempotency-key")).toBe("0123abcd");
    expect(requests[0]?.headers.get("traceparent")).toBe(TRACEPARENT);
    expect(requests[0]?.headers.get("x-team")).toBe("sre");
    expect(requests[0]?.headers.get("content-type")).toBe("application/json");
    expect(await requests[0]?.text()).toBe('{"incident":"1"}');
  });

  test("keeps the detail short and on one line", async () => {
    const body = "a\n\u0007b".repeat(5000);
    endpoint.use(http.all(ACTION.url, () => new HttpResponse(body, { status: 500 })));
    const { detail } = await send({});
    expect(detail.length).toBeLessThan(600);
    expect(detail).toMatch(/^HTTP 500: [ab ]+$/);
  });

  const echo = (status: number) => {
    endpoint.use(
      http.all(ACTION.url, async ({ request }) => {
        const { headers } = request;
        const text = JSON.stringify({ why: "x".repeat(100), headers: [...headers.values()] });
        return new HttpResponse(`${text}${await request.text()}`, { status });
      }),
    );
  };

  test.each([200, 201, 299])(
    "keeps nothing of the answer to what was done, with %i",
    async (status) => {
      echo(status);
      expect(await send({})).toEqual({ outcome: "done", detail: `HTTP ${String(status)}` });
    },
  );

  test.each([307, 400, 409, 429, 500, 503])(
    "keeps the answer of a failure, with %i, without the credentials that it echoes",
    async (status) => {
      echo(status);
      const headers = { "x-api-key": "correct-horse", "x-team": "sre" };
      const body = '{"token":"battery-staple","id":"1"}';
      const { detail } = await send({ headers, body });
      expect(detail).toContain(`HTTP ${String(status)}: `);
      expect(detail).toContain("sre");
      expect(detail).not.toMatch(/correct|horse|battery|staple/);
      expect(await send({ headers, body, keepResponse: "never" })).toMatchObject({
        detail: `HTTP ${String(status)}`,
      });
    },
  );

  test("masks a credential that the end of the detail cuts, and one in a redirect", async () => {
    const cut = `${"x".repeat(485)} x-api-key=correct-horse`;
    endpoint.use(http.all(ACTION.url, () => new HttpResponse(cut, { status: 500 })));
    expect((await send({ headers: { "x-api-key": "correct-horse" } })).detail).not.toMatch(
      /corr|horse/,
    );
    const location = "https://me:correct-horse@other.test/a?token=correct-horse#correct-horse";
    const redirect = () => new HttpResponse(null, { status: 302, headers: { location } });
    endpoint.use(http.all(ACTION.url, redirect));
    expect((await send({})).detail).toBe("HTTP 302: to https://[masked]@other.test/a");
    expect((await send({ keepResponse: "never" })).detail).toBe("HTTP 302");
  });

  test("names no value of a header that cannot be sent", async () => {
    const result = await send({ headers: { "x-api-key": "correct\nhorse" } });
    expect(result.outcome).toBe("failed-not-applied");
    expect(result.detail).not.toMatch(/correct|horse/);
  });
});

describe("what a connection does", () => {
  test("knows that nothing was applied when the connection is refused or the name unknown", async () => {
    const closed = createTcpServer();
    const port = await listenOnLoopback(closed);
    closed.close();
    await once(closed, "close");
    expect(await send({ url: `http://127.0.0.1:${String(port)}/` })).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringContaining("ECONNREFUSED"),
    });
    expect(await send({ url: "http://nowhere.invalid/" })).toMatchObject({
      outcome: "failed-not-applied",
    });
  });

  test("knows that nothing was applied when TLS does not come about", async () => {
    const silent = await listen(createTcpServer());
    expect(
      await send({ url: `https://127.0.0.1:${String(silent)}/` }, { deadlineMs: 200 }),
    ).toStrictEqual({ outcome: "failed-not-applied", detail: "no connection within 200 ms" });

    const resetting = await listen(
      createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy())),
    );
    expect(await send({ url: `https://127.0.0.1:${String(resetting)}/` })).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringContaining("ECONNRESET"),
    });
  });

  test("knows that nothing was applied when the server's certificate is not trusted", async () => {
    let requests = 0;
    const port = await listen(
      createHttpsServer(
        { key: server.privateKeyPem, cert: server.certificatePem },
        (_request, response) => {
          requests += 1;
          response.end();
        },
      ),
    );
    expect(await send({ url: `https://127.0.0.1:${String(port)}/` })).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED|unable to/),
    });
    expect(requests).toBe(0);
  });

  test("is in doubt when the connection is reset after the request was sent", async () => {
    const port = await listen(
      createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy())),
    );
    expect(await send({ url: `http://127.0.0.1:${String(port)}/` })).toMatchObject({
      outcome: "in-doubt",
      detail: expect.stringContaining("the connection broke after it stood"),
    });
  });

  test("is in doubt when no answer comes in time", async () => {
    const url = await httpUrl(() => undefined);
    expect(await send({ url }, { deadlineMs: 150 })).toStrictEqual({
      outcome: "in-doubt",
      detail: "no answer within 150 ms",
    });
  });

  test("counts the status when the body breaks off", async () => {
    const url = await httpUrl((_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    });
    expect(await send({ url })).toStrictEqual({
      outcome: "done",
      detail: "HTTP 200",
    });
  });

  test("sends one request whatever the status, though fetch repeats one that is answered by 421", async () => {
    const statuses = [201, 301, 308, 400, 401, 407, 408, 421, 425, 429, 500, 502, 503];
    const requests = new Map<string, number>();
    const url = await httpUrl((request, response) => {
      const status = String(request.url).slice(1);
      request.resume();
      requests.set(status, (requests.get(status) ?? 0) + 1);
      response.writeHead(requests.get(status) === 1 ? Number(status) : 200).end();
    });
    const outcomes = new Map<number, string>();
    for (const status of statuses) {
      outcomes.set(status, (await send({ url: `${url}${String(status)}` })).outcome);
    }
    expect([...requests]).toStrictEqual(statuses.map((status) => [String(status), 1]));
    expect(outcomes.get(421)).toBe("in-doubt");
    expect(await send({ url: `${url}421`, body: null })).toMatchObject({ outcome: "done" });
    expect(requests.get("421")).toBe(2);
  });

  test("uses a fresh connection for every send", async () => {
    const ports = new Set<number | undefined>();
    const url = await httpUrl((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("ok");
    });
    await send({ url });
    await send({ url });
    expect(ports.size).toBe(2);
  });
});

describe("the identity", () => {
  test("is presented by mTLS when the rule says so", async () => {
    const url = await mutualTls();
    expect(await send({ url, useIdentity: true }, { identity: identityOf(client) })).toStrictEqual({
      outcome: "done",
      detail: "HTTP 200",
    });
  });

  test("that a server refuses by just closing leaves it in doubt", async () => {
    const url = await mutualTls();
    const other = await createAuthority({ commonName: "somebody else" });
    const stranger = await other.issue({ commonName: "stranger" });
    const result = await send({ url, useIdentity: true }, { identity: identityOf(stranger) });
    expect(result.outcome).toBe("in-doubt");
  });

  test.each([
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
  ])("that a server refuses by the alert %s was not applied", (code) => {
    const error = new TypeError("fetch failed", {
      cause: Object.assign(new Error("alert"), { code }),
    });
    const established = { established: true, late: false, deadlineMs: 1 };
    expect(resultOfFailure(error, established).outcome).toBe("failed-not-applied");
    expect(resultOfFailure(error, { ...established, late: true }).outcome).toBe("in-doubt");
  });

  test("that cannot be had means that nothing was sent", async () => {
    expect(await send({ useIdentity: true })).toMatchObject({
      outcome: "failed-not-applied",
      detail: expect.stringContaining("there is none"),
    });
  });
});

async function mutualTls(): Promise<string> {
  const port = await listen(
    createHttpsServer(
      {
        key: server.privateKeyPem,
        cert: server.certificatePem,
        ca: authority.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (_request, response) => response.end("welcome"),
    ),
  );
  return `https://127.0.0.1:${String(port)}/`;
}
