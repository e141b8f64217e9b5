import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { clientPrincipal } from "#simulator/http/client-principal.ts";
import { createFront } from "./connection-front.ts";
import type { Arrival, ResponseRule, ActionEndpointControl } from "./action-endpoint-control.ts";
import { createLedger, digestOf } from "./ledger.ts";
import type { Ledger, ReceivedRequest } from "./ledger.ts";
import { splitOrigin } from "./origin.ts";
import { createRules } from "./rules.ts";
import type { Rules } from "./rules.ts";
import { readTraceparent } from "./traceparent.ts";

export interface ActionEndpointOptions {
  /** Defaults to 127.0.0.1. */
  readonly host?: string;
  /** Defaults to 0, which takes any free port. */
  readonly port?: number;
  /** Makes the endpoint serve HTTPS. Defaults to HTTP. */
  readonly tls?: {
    readonly certificatePem: string;
    readonly privateKeyPem: string;
    /**
     * PEM of an authority. A client certificate is asked for but not demanded, and its name is
     * recorded in the ledger.
     */
    readonly clientAuthorityPem?: string;
  };
  /**
   * Answers 200 without a second effect when the key was applied already. Defaults to false: every
   * request has an effect.
   */
  readonly idempotent?: boolean;
  /** A ledger that several endpoints share. By default the endpoint has its own. */
  readonly ledger?: Ledger;
  /** Holds and answers that several endpoints share. By default the endpoint has its own. */
  readonly rules?: Rules;
}

export interface RunningActionEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly control: ActionEndpointControl;
}

/**
 * Starts the endpoint that actions call. It is built on Node's own servers, because barriers need
 * the bare connections.
 */
export async function startActionEndpoint(
  options: ActionEndpointOptions = {},
): Promise<RunningActionEndpoint> {
  const ledger = options.ledger ?? createLedger();
  const rules = options.rules ?? createRules();
  const listener: RequestListener = (request, response) => {
    handle(request, response, { ledger, rules, idempotent: options.idempotent === true }).catch(
      () =>
        // The peer went away or the endpoint is closing: there is nobody to answer.
        response.destroy(),
    );
  };
  const http =
    options.tls === undefined
      ? createPlainServer(listener)
      : createSecureServer(secureSettings(options.tls), listener);
  // A failed handshake is the client's concern.
  http.on("tlsClientError", (_error: Error, socket: { destroy(): void }) => socket.destroy());
  const front = createFront(
    () => rules.connectionBarrier(),
    (socket) => {
      http.emit("connection", socket);
      // TLS reads the socket below Node's stream, which must not take the bytes away from it.
      if (options.tls === undefined) socket.resume();
    },
  );
  const host = options.host ?? "127.0.0.1";
  front.server.listen(options.port ?? 0, host);
  await once(front.server, "listening");
  const address = front.server.address();
  if (address === null || typeof address === "string") {
    throw new Error("the action endpoint has no port");
  }
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${host}:${address.port}`,
    control: createControl(ledger, rules),
    [Symbol.asyncDispose]: async () => {
      const closed = once(front.server, "close");
      front.server.close();
      for (const socket of front.sockets) socket.destroy();
      await closed;
    },
  };
}

function secureSettings(tls: NonNullable<ActionEndpointOptions["tls"]>) {
  const { certificatePem, privateKeyPem, clientAuthorityPem } = tls;
  return {
    cert: certificatePem,
    key: privateKeyPem,
    ...(clientAuthorityPem === undefined
      ? {}
      : { ca: clientAuthorityPem, requestCert: true, rejectUnauthorized: false }),
  };
}

function createControl(ledger: Ledger, rules: Rules): ActionEndpointControl {
  return {
    effects: async () => ledger.effects(),
    requests: async () => ledger.requests(),
    byKey: async (key) => ledger.byKey(key),
    duplicates: async () => ledger.duplicates(),
    hold: async (moment, settings) => rules.hold(moment, settings),
    respond: async (rule) => rules.respond(rule),
    reset: async (settings) => rules.reset(settings),
  };
}

interface Handling {
  readonly ledger: Ledger;
  readonly rules: Rules;
  readonly idempotent: boolean;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { ledger, rules, idempotent }: Handling,
): Promise<void> {
  const arrivedAtMs = Date.now();
  const { origin, path } = splitOrigin(request.url ?? "/");
  const arrival = {
    key: headerOf(request, "idempotency-key"),
    method: request.method ?? "",
    path,
  };
  // Requests that came on a connection which was open before the hold wait here.
  await waitAt(rules, "before-request", arrival, request);
  const received = {
    ...arrival,
    origin,
    ...readTraceparent(headerOf(request, "traceparent")),
    ...(await readBody(request)),
    arrivedAtMs,
    principal: clientPrincipal(request.socket),
  };
  ledger.receive(received);
  const verdict = rules.verdict(arrival);
  if (verdict.kind === "reset") {
    if (verdict.applied) await takeEffect(received, { ledger, rules, idempotent }, request);
    request.socket.resetAndDestroy();
    return;
  }
  const { rule } = verdict;
  if (rule.effectDelayMs !== undefined) await sleep(rule.effectDelayMs, undefined, { ref: false });
  const applied = rule.applied ?? (rule.status ?? 200) < 400;
  if (applied) await takeEffect(received, { ledger, rules, idempotent }, request);
  if (rule.delayMs !== undefined) await sleep(rule.delayMs, undefined, { ref: false });
  reply(response, rule, applied);
}

async function takeEffect(
  received: ReceivedRequest & Arrival,
  { ledger, rules, idempotent }: Handling,
  request: IncomingMessage,
): Promise<void> {
  const repeated = received.key !== null && ledger.byKey(received.key).length > 0;
  if (!(idempotent && repeated)) ledger.apply(received);
  await waitAt(rules, "after-effect", received, request);
}

/**
 * Waits at the barrier, if there is one. Rejects when the peer has gone or the barrier was dropped.
 */
async function waitAt(
  rules: Rules,
  moment: "before-request" | "after-effect",
  arrival: Arrival,
  request: IncomingMessage,
): Promise<void> {
  const barrier = await rules.requestBarrier(moment, arrival);
  if (request.socket.destroyed) throw new Error("the peer has gone");
  if (barrier === undefined) return;
  const gone = Promise.withResolvers<never>();
  const leave = () => gone.reject(new Error("the peer has gone"));
  request.socket.once("close", leave);
  const passed = new Promise<void>((resolve) => {
    barrier.wait(arrival, {
      proceed: resolve,
      drop: () => void request.socket.destroy(),
    });
  });
  try {
    await Promise.race([passed, gone.promise]);
  } finally {
    request.socket.off("close", leave);
  }
}

async function readBody(request: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  return { body: bytes.toString("utf8"), bodyDigest: digestOf(bytes) };
}

function reply(response: ServerResponse, rule: ResponseRule, applied: boolean): void {
  const body = rule.body ?? JSON.stringify({ applied });
  response.writeHead(rule.status ?? 200, { "content-type": "application/json", ...rule.headers });
  response.end(body);
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === "string" ? value : null;
}
