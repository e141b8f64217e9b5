import { connect, createServer } from "node:net";

import { describe, expect, test } from "vitest";

import { listenOnLoopback } from "#fixtures/listeners.ts";

import { hasCode } from "#consumer/errors.ts";
import type { Fields, HealthReports, Log } from "#consumer/ports.ts";
import { readinessReport } from "#consumer/process/state.ts";
import { createHealthServer } from "./health.ts";
import { createMetrics } from "./metrics.ts";

const POST = "POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
const READY = { ready: true } as const;
const DENIED = { ready: false, reason: "CKMS refuses secret x" } as const;

function reports(ready: boolean, alive = true): HealthReports {
  return {
    liveness: () => ({ alive, state: "running", stateAgeMs: 5 }),
    readiness: () =>
      readinessReport("running", {
        identity: READY,
        secrets: ready ? READY : DENIED,
        history: READY,
        broker: READY,
      }),
  };
}

async function serve(given: HealthReports) {
  const logged: Fields[] = [];
  const keep = (_event: string, fields: Fields = {}) => void logged.push(fields);
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const metrics = createMetrics();
  const server = await createHealthServer({ host: "127.0.0.1", port: 0, metrics, log }).serve(
    given,
  );
  const { port } = logged[0] ?? {};
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${String(port)}${path}`, { method });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  return { metrics, get, port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe("health server", () => {
  test("answers 200 when alive and ready", async () => {
    await using server = await serve(reports(true));
    const live = await server.get("/livez");
    expect(live.status).toBe(200);
    expect(JSON.parse(live.body)).toStrictEqual({ alive: true, state: "running", stateAgeMs: 5 });
    expect((await server.get("/readyz?verbose")).status).toBe(200);
  });

  test("answers 503 with the reason of each dependency when not ready", async () => {
    await using server = await serve(reports(false, false));
    expect((await server.get("/livez")).status).toBe(503);
    const ready = await server.get("/readyz");
    expect(ready.status).toBe(503);
    expect(ready.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(ready.body)).toMatchObject({
      ready: false,
      reason: "secrets: CKMS refuses secret x",
      dependencies: { secrets: DENIED, broker: READY },
    });
  });

  test("shows metrics with their units", async () => {
    await using server = await serve(reports(true));
    server.metrics.count("records", { result: "matched" }, 2);
    server.metrics.observe("fsync", 12);
    server.metrics.gauge("lag", 7, { topic: "t", partition: "0" });
    const { body, headers } = await server.get("/metrics");
    expect(headers.get("content-type")).toContain("text/plain");
    expect(body).toContain('kafka_consumer_records_total{result="matched"} 2');
    expect(body).toContain("kafka_consumer_fsync_duration_seconds_sum 0.012");
    expect(body).toContain('kafka_consumer_lag_records{topic="t",partition="0"} 7');
    expect(body).toContain("process_cpu_seconds_total");
    server.metrics.gauge("lag", undefined, { topic: "t", partition: "0" });
    expect((await server.get("/metrics")).body).not.toContain("kafka_consumer_lag_records{");
  });

  test("has a metric for everything that an operator watches", async () => {
    await using server = await serve(reports(true));
    const { body } = await server.get("/metrics");
    const names = [...body.matchAll(/^# TYPE kafka_consumer_(\S+)/gm)].map(([, name]) => name);
    expect(names).toEqual([
      "records_total",
      "tags_dropped_total",
      "actions_total",
      "claims_total",
      "dead_letters_total",
      "commits_total",
      "storage_errors_total",
      "log_lines_dropped_total",
      "fsync_duration_seconds",
      "action_duration_seconds",
      "record_duration_seconds",
      "lag_records",
      "standstill",
      "lanes",
      "paused",
      "history_entries",
    ]);
  });

  test("knows only its paths and only reads", async () => {
    await using server = await serve(reports(true));
    expect((await server.get("/")).status).toBe(404);
    expect((await server.get("/livez", "POST")).status).toBe(405);
    expect(await server.get("/livez", "HEAD")).toMatchObject({ status: 200, body: "" });
  });

  test("answers 500 when a report fails, and goes on", async () => {
    await using server = await serve({
      ...reports(true),
      readiness: () => {
        throw new Error("broken");
      },
    });
    expect((await server.get("/readyz")).status).toBe(500);
    expect((await server.get("/livez")).status).toBe(200);
  });

  test("always has room for a new connection: the oldest goes, and none lasts", async () => {
    await using server = await serve(reports(true));
    const port = Number(server.port);
    const closed: number[] = [];
    const sockets = Array.from({ length: 200 }, (_, index) => {
      const socket = connect({ host: "127.0.0.1", port });
      socket.on("error", () => undefined).resume();
      socket.once("close", () => void closed.push(index));
      // Headers that do not end, and a body that does not come.
      const begun = index % 2 === 0 ? "GET /livez HTTP/1.1\r\nx: " : POST;
      socket.once("connect", () => socket.write(begun));
      return socket;
    });
    await using _sockets = {
      [Symbol.asyncDispose]: async () => sockets.forEach((one) => one.destroy()),
    };
    await expect.poll(() => closed.length).toBeGreaterThanOrEqual(136);
    expect((await server.get("/livez")).status).toBe(200);
    expect((await server.get("/metrics")).status).toBe(200);
    // The server's own time limits end these: nobody else does.
    await expect.poll(() => closed.length, { timeout: 15_000 }).toBe(200);
  });

  test("keeps no connection after its answer, and takes no large header", async () => {
    await using server = await serve(reports(true));
    expect((await server.get("/livez")).headers.get("connection")).toBe("close");
    const large = { "x-large": "x".repeat(10_000) };
    const { status } = await fetch(`http://127.0.0.1:${String(server.port)}/livez`, {
      headers: large,
    });
    expect(status).toBe(431);
    expect((await server.get("/livez")).status).toBe(200);
  });

  test("says which address is taken", async () => {
    const taken = createServer();
    const port = await listenOnLoopback(taken);
    const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
    const server = createHealthServer({ host: "127.0.0.1", port, metrics: createMetrics(), log });
    const failure: unknown = await server.serve(reports(true)).catch((error: unknown) => error);
    taken.close();
    expect(hasCode(failure, "bad-configuration")).toBe(true);
    expect(String(failure)).toContain(`127.0.0.1:${String(port)}`);
  });
});
