import { once } from "node:events";
import { connect } from "node:net";
import { setImmediate } from "node:timers/promises";
import { Agent, fetch } from "undici";
import { describe, expect, vi, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { startActionEndpoint } from "./action-endpoint.ts";

const post = (url: string, key: string, body = '{"a":1}') =>
  requestJson(`${url}/tickets?x=1`, { method: "POST", body, headers: { "idempotency-key": key } });

describe("the action endpoint", () => {
  test("records each request as an effect, with key, path and digest of the body", async () => {
    await using endpoint = await startActionEndpoint();
    const startedMs = Date.now();
    const response = await post(endpoint.url, "k1");
    expect(response).toEqual({ status: 200, body: { applied: true } });
    const [effect] = await endpoint.control.effects();
    expect(effect).toMatchObject({
      sequence: 1,
      key: "k1",
      method: "POST",
      path: "/tickets?x=1",
      body: '{"a":1}',
      bodyDigest: "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
      principal: null,
    });
    expect(effect?.arrivedAtMs).toBeGreaterThanOrEqual(startedMs);
    expect(effect?.appliedAtMs).toBeGreaterThanOrEqual(effect?.arrivedAtMs ?? Number.NaN);
  });

  test("keeps the identifiers of traceparent for requests and effects", async () => {
    await using endpoint = await startActionEndpoint();
    const [traceId, parentId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    const send = (headers: Record<string, string>) =>
      requestJson(`${endpoint.url}/tickets`, { method: "POST", body: "{}", headers });
    await send({ traceparent: `00-${traceId}-${parentId}-01` });
    await send({ traceparent: "00-torn" });
    await send({});
    const named = [
      { traceId, parentId },
      { traceId: null, parentId: null },
      { traceId: null, parentId: null },
    ];
    expect(await endpoint.control.effects()).toMatchObject(named);
    expect(await endpoint.control.requests()).toMatchObject(named);
  });

  test("names the keys that were applied more than once, and only those", async () => {
    await using endpoint = await startActionEndpoint();
    await post(endpoint.url, "once");
    await post(endpoint.url, "twice");
    await post(endpoint.url, "twice");
    const duplicates = await endpoint.control.duplicates();
    expect([...duplicates.keys()]).toEqual(["twice"]);
    expect(await endpoint.control.byKey("twice")).toHaveLength(2);
    expect(await endpoint.control.byKey("never")).toEqual([]);
  });

  test("suppresses the second effect of a key when it is declared idempotent", async () => {
    await using endpoint = await startActionEndpoint({ idempotent: true });
    await post(endpoint.url, "twice");
    expect((await post(endpoint.url, "twice")).status).toBe(200);
    expect(await endpoint.control.effects()).toHaveLength(1);
    expect(await endpoint.control.requests()).toHaveLength(2);
  });

  test("answers as a rule says, without an effect, a limited number of times", async () => {
    await using endpoint = await startActionEndpoint();
    await using rule = await endpoint.control.respond({ status: 503, body: "busy", times: 1 });
    expect(await post(endpoint.url, "k")).toEqual({ status: 503, body: "busy" });
    expect(await endpoint.control.effects()).toEqual([]);
    expect((await post(endpoint.url, "k")).status).toBe(200);
    expect(await rule.hits()).toBe(1);
    expect(await endpoint.control.effects()).toHaveLength(1);
  });

  test("applies a rule to the requests it matches and stops when it is disposed", async () => {
    await using endpoint = await startActionEndpoint();
    {
      await using _rule = await endpoint.control.respond({
        status: 500,
        applied: true,
        match: { key: "a" },
      });
      expect((await post(endpoint.url, "b")).status).toBe(200);
      expect((await post(endpoint.url, "a")).status).toBe(500);
    }
    expect((await post(endpoint.url, "a")).status).toBe(200);
    expect((await endpoint.control.effects()).map(({ key }) => key)).toEqual(["b", "a", "a"]);
  });

  test("can delay the reply and not the effect", async () => {
    await using endpoint = await startActionEndpoint();
    await using _rule = await endpoint.control.respond({ delayMs: 80 });
    const startedMs = performance.now();
    await post(endpoint.url, "k");
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(75);
    const [effect] = await endpoint.control.effects();
    expect((effect?.appliedAtMs ?? Infinity) - (effect?.arrivedAtMs ?? 0)).toBeLessThan(60);
  });

  test("can delay the effect, which comes even when its peer has gone", async () => {
    await using endpoint = await startActionEndpoint();
    await using _rule = await endpoint.control.respond({ effectDelayMs: 200, times: 1 });
    const client = new AbortController();
    const request = fetch(endpoint.url, {
      method: "POST",
      headers: { "idempotency-key": "k" },
      signal: client.signal,
    });
    await vi.waitFor(async () => expect(await endpoint.control.requests()).toHaveLength(1));
    client.abort();
    await expect(request).rejects.toThrow("aborted");
    await vi.waitFor(async () => expect(await endpoint.control.byKey("k")).toHaveLength(1));
    const [effect] = await endpoint.control.effects();
    expect((effect?.appliedAtMs ?? 0) - (effect?.arrivedAtMs ?? 0)).toBeGreaterThanOrEqual(195);
  });

  test("applies every matching rule in turn", async () => {
    await using endpoint = await startActionEndpoint();
    await using first = await endpoint.control.respond({ status: 503 });
    await using second = await endpoint.control.respond({ status: 429 });
    const statuses: number[] = [];
    for (const key of ["a", "b", "c", "d"]) statuses.push((await post(endpoint.url, key)).status);
    expect(statuses).toEqual([503, 429, 503, 429]);
    expect([await first.hits(), await second.hits()]).toEqual([2, 2]);
  });

  test.each([
    { applied: true, effects: 1 },
    { applied: false, effects: 0 },
  ])("resets the connection with $effects effects", async ({ applied, effects }) => {
    await using endpoint = await startActionEndpoint();
    await using rule = await endpoint.control.reset({ applied });
    await expect(post(endpoint.url, "k")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await rule.hits()).toBe(1);
    expect(await endpoint.control.effects()).toHaveLength(effects);
  });

  test("holds back the reply at after-effect until the release", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("after-effect");
    let answered = false;
    const answer = post(endpoint.url, "k").finally(() => (answered = true));
    expect(await hold.arrived).toMatchObject({ key: "k", method: "POST" });
    expect(await endpoint.control.byKey("k")).toHaveLength(1);
    expect(answered).toBe(false);
    await hold.release();
    expect((await answer).status).toBe(200);
    expect(await hold.hits()).toBe(1);
    expect(await endpoint.control.effects()).toHaveLength(1);
  });

  test("holds a connection unread at before-request and serves it whole after the release", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("before-request");
    const answer = post(endpoint.url, "k", JSON.stringify({ long: "x".repeat(300_000) }));
    await hold.arrived;
    expect(await endpoint.control.requests()).toEqual([]);
    await hold.release();
    expect((await answer).status).toBe(200);
    const [effect] = await endpoint.control.effects();
    expect(effect?.body).toHaveLength(300_011);
  });

  test("holds a request on a connection that was open before the hold", async () => {
    await using endpoint = await startActionEndpoint();
    await using agent = closing(new Agent({ connections: 1 }));
    const send = async (key: string) => {
      const headers = { "idempotency-key": key };
      const response = await fetch(endpoint.url, {
        method: "POST",
        headers,
        dispatcher: agent.value,
      });
      return await response.text();
    };
    await send("first");
    await using hold = await endpoint.control.hold("before-request");
    const answer = send("second");
    expect(await hold.arrived).toMatchObject({ key: "second" });
    expect(await endpoint.control.byKey("second")).toEqual([]);
    await hold.release();
    await answer;
    expect(await endpoint.control.byKey("second")).toHaveLength(1);
  });

  test("applies nothing when the peer of a held connection went away before the release", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("before-request");
    const socket = connect(Number(new URL(endpoint.url).port), "127.0.0.1");
    await hold.arrived;
    socket.write("POST /x HTTP/1.1\r\nHost: t\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n");
    socket.end();
    await once(socket, "finish");
    await hold.release();
    // The answer to the next request shows that the endpoint went on. If the first request had been
    // read, it would be recorded by now.
    await post(endpoint.url, "later");
    expect((await endpoint.control.requests()).map(({ key }) => key)).toEqual(["later"]);
    socket.destroy();
  });

  test("drops what it holds without an effect", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("before-request", {
      match: { path: "/tickets" },
    });
    const answer = Promise.allSettled([post(endpoint.url, "k")]);
    await hold.arrived;
    await hold.drop();
    expect(await answer).toMatchObject([{ status: "rejected", reason: { code: "ECONNRESET" } }]);
    expect(await endpoint.control.requests()).toEqual([]);
  });

  test.each(["before-request", "after-effect"] as const)(
    "holds at %s only the requests for which the condition is true, once it has answered",
    async (moment) => {
      await using endpoint = await startActionEndpoint();
      await using hold = await endpoint.control.hold(moment, {
        when: async ({ key }) => {
          await setImmediate();
          return key === "b";
        },
      });
      expect((await post(endpoint.url, "a")).status).toBe(200);
      const held = post(endpoint.url, "b");
      expect(await hold.arrived).toMatchObject({ key: "b", path: "/tickets?x=1" });
      expect(await endpoint.control.effects()).toHaveLength(moment === "after-effect" ? 2 : 1);
      await hold.release();
      expect((await held).status).toBe(200);
      expect(await hold.hits()).toBe(1);
    },
  );

  test("holds and applies nothing when the peer went away while the condition was evaluated", async () => {
    await using endpoint = await startActionEndpoint();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    await using hold = await endpoint.control.hold("before-request", {
      when: async ({ key }) => {
        if (key !== "gone") return false;
        asked.resolve();
        return await answer.promise;
      },
    });
    const client = new AbortController();
    const request = fetch(endpoint.url, {
      method: "POST",
      headers: { "idempotency-key": "gone" },
      signal: client.signal,
    });
    await asked.promise;
    client.abort();
    await expect(request).rejects.toThrow("aborted");
    await post(endpoint.url, "later");
    answer.resolve(true);
    await post(endpoint.url, "last");
    expect(await hold.hits()).toBe(0);
    expect((await endpoint.control.requests()).map(({ key }) => key)).toEqual(["later", "last"]);
  });

  test("holds a limited number and lets the rest pass", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("after-effect", { times: 1 });
    const held = post(endpoint.url, "a");
    await hold.arrived;
    expect((await post(endpoint.url, "b")).status).toBe(200);
    expect(await hold.hits()).toBe(1);
    await hold.release();
    await held;
  });

  test("tells a scenario that a barrier was never reached", async () => {
    await using endpoint = await startActionEndpoint();
    const hold = await endpoint.control.hold("after-effect");
    await hold.release();
    await expect(hold.arrived).rejects.toThrow("before anything arrived");
  });

  test("serves HTTPS and names the principal of a client certificate", async () => {
    const authority = await createAuthority();
    const server = await authority.issue({
      commonName: "action-endpoint",
      ipAddresses: ["127.0.0.1"],
    });
    await using endpoint = await startActionEndpoint({
      tls: { ...server, clientAuthorityPem: authority.certificatePem },
    });
    const settings = { authority: authority.certificatePem, method: "POST" } as const;
    await requestJson(endpoint.url, settings);
    const identity = await authority.issue({ commonName: "sre.consumer" });
    await using hold = await endpoint.control.hold("before-request");
    const answer = requestJson(endpoint.url, { ...settings, identity });
    await hold.arrived;
    await hold.release();
    expect((await answer).status).toBe(200);
    const principals = (await endpoint.control.effects()).map(({ principal }) => principal);
    expect(principals).toEqual([null, "sre.consumer"]);
  });

  test("ends at once even while requests are held", async () => {
    const endpoint = await startActionEndpoint();
    const hold = await endpoint.control.hold("after-effect");
    const answer = Promise.allSettled([post(endpoint.url, "k")]);
    await hold.arrived;
    await endpoint[Symbol.asyncDispose]();
    expect(await answer).toMatchObject([{ status: "rejected", reason: { code: "ECONNRESET" } }]);
  });
});

/** undici's Agent has no disposer of its own. */
function closing(value: Agent) {
  return { value, [Symbol.asyncDispose]: () => value.destroy() };
}
