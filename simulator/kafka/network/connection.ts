import type { Socket } from "node:net";
import { messageOf } from "#consumer/errors.ts";
import { apis } from "#simulator/kafka/apis/registry.ts";
import type { Api, Call, Pieces, RequestContext } from "#simulator/kafka/apis/define.ts";
import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { ConnectionEvent, EventPlace } from "#simulator/kafka/cluster/broker-events.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import type {
  TriggeredFault,
  BreakableConnection,
} from "#simulator/kafka/faults/fault-registry.ts";
import { directionOf } from "#simulator/kafka/faults/fault-rule.ts";
import type { FaultDirection } from "#simulator/kafka/faults/fault-rule.ts";
import { AuthenticationFailed } from "#simulator/kafka/security/authentication-failed.ts";
import type { Session } from "#simulator/kafka/security/session.ts";
import { pause } from "#simulator/kafka/cluster/timers.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { MalformedRequest, RequestReader } from "#simulator/kafka/wire/reader.ts";
import { Frames } from "./frames.ts";
import { faultyAnswer, partitionRefused, partsOf, untilReleased } from "./faulty-reply.ts";
import { readHeader, replyFrame, unsupportedApiVersions } from "./header.ts";
import type { RequestHeader } from "./header.ts";

/** The number of waiting requests of one connection after which reading stops. */
const QUEUED_REQUESTS_MAX = 100;
/** The number of waiting bytes after which reading stops too. */
const QUEUED_BYTES_MAX = 8 * 1024 * 1024;
/**
 * `sasl.server.max.receive.size`: an unauthenticated client must not make the broker buffer more.
 */
const UNAUTHENTICATED_BYTES_MAX = 524_288;
/** The keys of ApiVersions, SaslHandshake and SaslAuthenticate. */
const OPEN_BEFORE_AUTHENTICATION = new Set([18, 17, 36]);

/** The common part of a connection's events. */
export type ConnectionPlace = Omit<EventPlace, "atMs">;

/**
 * Serves one socket. Requests are applied one after the other in the order in which they came, as
 * in Apache Kafka.
 */
export function serveConnection(
  socket: Socket,
  cluster: ClusterState,
  session: Session,
  place: ConnectionPlace,
): Connection {
  return new Connection(socket, cluster, session, place);
}

export class Connection implements BreakableConnection {
  /**
   * The reason why the broker closed it; undefined while it is open, and when the client closed it.
   */
  closeReason: string | undefined;
  readonly #socket: Socket;
  readonly #cluster: ClusterState;
  readonly #session: Session;
  readonly #place: ConnectionPlace;
  readonly #frames = new Frames();
  readonly #queue: Buffer[] = [];
  /**
   * Aborts when no request is read and no answer sent any more. The socket may still be kept open.
   */
  readonly #ended = new AbortController();
  /** Aborts when the node is dead: what it had read is lost. */
  readonly #killed = new AbortController();
  #queuedBytes = 0;
  #isServing = false;
  /** The facts about the last request. */
  #lastFacts: RequestFacts | undefined;
  /** True when requests are applied and nothing is answered. */
  #isMute = false;
  /**
   * True while a rule about connections keeps the socket open: until the rule releases it, the
   * client must not notice what the broker does with the connection.
   */
  #isHeldOpen = false;

  constructor(socket: Socket, cluster: ClusterState, session: Session, place: ConnectionPlace) {
    this.#socket = socket;
    this.#cluster = cluster;
    this.#session = session;
    this.#place = place;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    // The event "close" follows a reset as any other end.
    socket.on("error", () => {});
    const joined = cluster.faults.join(this);
    socket.on("close", () => {
      joined[Symbol.dispose]();
      this.#ended.abort();
    });
  }

  get node(): number {
    return this.#place.node;
  }

  get facts(): RequestFacts | undefined {
    const isOver = this.#ended.signal.aborted || this.#isHeldOpen;
    if (this.#lastFacts === undefined || isOver) return undefined;
    const ofNone = { api: "", apiKey: -1, apiVersion: -1, topics: [], partitions: [], groups: [] };
    return { ...this.#lastFacts, ...ofNone };
  }

  break(triggered: TriggeredFault): void {
    this.#break(triggered, "connection-broken");
  }

  /**
   * Ends the connection with its node: what was read and not applied yet never will be. The owner
   * of the socket cuts it.
   */
  kill(): void {
    this.#killed.abort();
    this.#ended.abort();
  }

  #receive(chunk: Buffer): void {
    if (this.#ended.signal.aborted) return;
    const known = this.#session.isAuthenticated(this.#cluster.timers.nowMs());
    const bytesMax = known ? this.#cluster.settings.requestBytesMax : UNAUTHENTICATED_BYTES_MAX;
    try {
      for (const frame of this.#frames.push(chunk, bytesMax)) {
        this.#queue.push(frame);
        this.#queuedBytes += frame.length;
      }
    } catch (error) {
      this.#close(messageOf(error));
      return;
    }
    const isFull = this.#queue.length > QUEUED_REQUESTS_MAX || this.#queuedBytes > QUEUED_BYTES_MAX;
    if (isFull) this.#socket.pause();
    if (!this.#isServing) void this.#serve();
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
      try {
        await this.#answer(frame);
      } catch (error) {
        if (!(error instanceof MalformedRequest)) this.#emitDefect("", error);
        this.#close(messageOf(error));
      }
      // A client that does not read its answers receives no more of them.
      if (this.#socket.writableNeedDrain) await this.#drained();
      if (this.#ended.signal.aborted) break;
      this.#queuedBytes -= frame.length;
      if (this.#socket.isPaused()) this.#socket.resume();
    }
    this.#isServing = false;
  }

  async #answer(frame: Buffer): Promise<void> {
    if (this.#session.takesRawTokens) return await this.#answerRawToken(frame);
    const reader = RequestReader.from(frame);
    const header = readHeader(reader);
    const api = apis.get(header.apiKey);
    if (api === undefined) throw new MalformedRequest(`unknown API key ${header.apiKey}`);
    if (header.apiVersion < api.versions[0] || header.apiVersion > api.versions[1]) {
      const reply = unsupportedApiVersions(api, header);
      if (reply !== undefined) return this.#send(reply);
      throw new MalformedRequest(`${api.name} has no version ${header.apiVersion}`);
    }
    const isOpen =
      OPEN_BEFORE_AUTHENTICATION.has(api.key) ||
      this.#session.isAuthenticated(this.#cluster.timers.nowMs());
    if (!isOpen && !this.#session.isInExchange) {
      throw new MalformedRequest(`${api.name} before authentication`);
    }
    if (api.format(header.apiVersion).flexible) reader.skipTaggedFields();
    const call = api.read(reader, header.apiVersion, this.#cluster);
    if (!isOpen) {
      const refusal = call.refuse(errorCode("ILLEGAL_SASL_STATE"));
      if (refusal !== undefined) this.#send(replyFrame(api, header, refusal));
      return this.#close(`${api.name} in the middle of authentication`);
    }
    await this.#run(api, header, call);
  }

  async #run(api: Api, header: RequestHeader, call: Call): Promise<void> {
    const facts = this.#facts(api, header, call);
    const frameOf = (body: Pieces): Pieces => replyFrame(api, header, body);
    this.#emit({ type: "request", ...facts });
    if (this.#isRefused(facts)) return;
    const triggered = this.#trigger("request", facts);
    if (triggered?.action.type === "error" && triggered.action.partitionOnly !== true) {
      const refusal = call.refuse(errorCode(triggered.action.error));
      if (refusal !== undefined) this.#send(frameOf(refusal));
      return;
    }
    if (triggered !== undefined && !(await this.#isApplied(triggered))) return;
    const body = await this.#apply(api, header, call, triggered);
    const replyFault = body === undefined ? undefined : this.#trigger("reply", facts);
    if (replyFault !== undefined) await this.#sendFaulty(replyFault, call, body, frameOf);
    else if (body !== undefined) this.#send(frameOf(body));
    if (this.#session.isRejected) this.#close("authentication failed");
  }

  /** Tells whether a rule about connections ends this one. A mute connection goes on. */
  #isRefused(facts: RequestFacts): boolean {
    const isFirst = this.#lastFacts === undefined;
    this.#lastFacts = facts;
    if (this.#isMute) return false;
    const triggered = this.#cluster.faults.triggerForConnection(this, facts);
    if (triggered === undefined) return false;
    this.#break(triggered, isFirst ? "connection-refused" : "connection-broken");
    return !this.#isMute;
  }

  #break(triggered: TriggeredFault, type: "connection-refused" | "connection-broken"): void {
    const { id, action, rule } = triggered;
    const clientId = this.#lastFacts?.clientId ?? null;
    this.#emit({ type, fault: id, action: action.type, clientId });
    if (action.type === "drop") return this.#close("fault drop");
    void this.#holdOpen(triggered);
    if (directionOf(rule) === "reply") this.#isMute = true;
    else this.#ended.abort();
  }

  /**
   * Returns when the rule has released the connection and it is closed, or when its node is dead.
   */
  async #holdOpen(triggered: TriggeredFault): Promise<void> {
    this.#isHeldOpen = true;
    await untilReleased(triggered, this.#killed.signal);
    this.#isHeldOpen = false;
    if (!this.#killed.signal.aborted) this.#close("fault blackhole");
  }

  #trigger(direction: FaultDirection, facts: RequestFacts): TriggeredFault | undefined {
    const triggered = this.#cluster.faults.trigger(direction, this.#place.node, facts);
    if (triggered === undefined) return undefined;
    const { id, action } = triggered;
    this.#emit({ type: "fault", fault: id, action: action.type, direction, ...facts });
    return triggered;
  }

  /**
   * Applies the fault to the request and tells whether the request is to be applied. As in Apache
   * Kafka, a request that has been read is applied even when its client has gone meanwhile.
   */
  async #isApplied(triggered: TriggeredFault): Promise<boolean> {
    const { action } = triggered;
    const { signal } = this.#killed;
    if (action.type === "drop") this.#close("fault drop");
    if (action.type === "blackhole") await this.#swallow(triggered);
    if (action.type === "drop" || action.type === "blackhole") return false;
    if (action.type === "barrier") await untilReleased(triggered, signal);
    if (action.type === "delay") await pause(this.#cluster.timers, action.delayMs, signal);
    return !signal.aborted;
  }

  async #sendFaulty(
    triggered: TriggeredFault,
    call: Call,
    body: Pieces | undefined,
    frameOf: (body: Pieces) => Pieces,
  ): Promise<void> {
    const { action } = triggered;
    const { signal } = this.#ended;
    const { timers } = this.#cluster;
    if (action.type === "drop") return this.#close("fault drop");
    if (action.type === "barrier") await untilReleased(triggered, signal);
    if (action.type === "delay") await pause(timers, action.delayMs, signal);
    const answer = faultyAnswer(action, call, body);
    if (answer === undefined) return;
    for (const { part, pauseMs } of partsOf(action, Buffer.concat(frameOf(answer)))) {
      this.#send([part]);
      if (pauseMs > 0) await pause(timers, pauseMs, signal);
    }
    if (action.type === "truncate") this.#close("fault truncate");
    if (action.type === "blackhole") await this.#swallow(triggered);
  }

  /** Reads and sends nothing until the rule releases the connection, and then closes it. */
  async #swallow(triggered: TriggeredFault): Promise<void> {
    await untilReleased(triggered, this.#ended.signal);
    this.#close("fault blackhole");
  }

  async #apply(
    api: Api,
    header: RequestHeader,
    call: Call,
    triggered: TriggeredFault | undefined,
  ): Promise<Pieces | undefined> {
    try {
      return await call.apply(this.#context(header), triggered && partitionRefused(triggered.rule));
    } catch (error) {
      if (error instanceof MalformedRequest) throw error;
      this.#emitDefect(api.name, error);
      return call.refuse(errorCode("UNKNOWN_SERVER_ERROR"));
    } finally {
      if (this.#session.isRejected) {
        const delayMs = this.#cluster.settings.failedAuthenticationDelayMs;
        await pause(this.#cluster.timers, delayMs, this.#ended.signal);
      }
    }
  }

  /**
   * Answers a token of SaslHandshake version 0: such tokens travel in frames of their own, without
   * a header.
   */
  async #answerRawToken(token: Buffer): Promise<void> {
    try {
      const step = await this.#session.next(token, Number.POSITIVE_INFINITY);
      const size = Buffer.alloc(4);
      size.writeInt32BE(step.reply.length);
      this.#send([size, step.reply]);
    } catch (error) {
      if (!(error instanceof AuthenticationFailed)) throw error;
      this.#close("authentication failed");
    }
  }

  #context(header: RequestHeader): RequestContext {
    return {
      cluster: this.#cluster,
      node: this.#place.node,
      listener: this.#place.listener,
      version: header.apiVersion,
      clientId: header.clientId ?? "",
      clientHost: `/${this.#socket.remoteAddress ?? ""}`,
      session: this.#session,
      signal: this.#ended.signal,
    };
  }

  #facts(api: Api, header: RequestHeader, call: Call): RequestFacts {
    return {
      api: api.name,
      apiKey: api.key,
      apiVersion: header.apiVersion,
      clientId: header.clientId,
      principal: this.#session.principal,
      topics: call.scope.topics ?? [],
      partitions: call.scope.partitions ?? [],
      groups: call.scope.groups ?? [],
    };
  }

  #drained(): Promise<void> {
    const { signal } = this.#ended;
    return new Promise((resolve) => {
      const end = (): void => {
        this.#socket.off("drain", end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#socket.once("drain", end);
      signal.addEventListener("abort", end);
    });
  }

  /** Sends all pieces with one system call. */
  #send(frame: Pieces): void {
    if (this.#ended.signal.aborted || this.#isMute) return;
    this.#socket.cork();
    for (const piece of frame) this.#socket.write(piece);
    this.#socket.uncork();
  }

  /**
   * Closes the connection after what has been written is sent. Nothing more is read or sent from
   * now on, even when the socket is kept open.
   */
  #close(reason: string): void {
    this.#ended.abort();
    if (this.#isHeldOpen) return;
    this.closeReason ??= reason;
    this.#socket.destroySoon();
  }

  #emitDefect(api: string, error: unknown): void {
    const reason = error instanceof Error ? error.stack : String(error);
    this.#emit({ type: "internal-error", api, reason: reason ?? "" });
  }

  #emit(event: ConnectionEvent): void {
    this.#cluster.events.emit({ ...event, ...this.#place, atMs: this.#cluster.timers.nowMs() });
  }
}
