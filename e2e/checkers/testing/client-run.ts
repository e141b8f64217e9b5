import { Kafka, logLevel } from "kafkajs";
import type { Consumer } from "kafkajs";
import { localControl } from "#simulator/kafka/control/local-control.ts";
import type { KafkaControl } from "#simulator/kafka/control/operations.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { ProtocolEvent } from "#e2e/brokers/broker.ts";
import { ProtocolFeed } from "#e2e/brokers/embedded/protocol-feed.ts";
import type { InvariantVerdict } from "#e2e/checkers/checker.ts";
import { protocolEvents } from "#e2e/checkers/collect/broker-events.ts";
import { KitRecord } from "#e2e/checkers/collect/kit-record.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import type { ExpectedAction, HistoryEvent } from "#e2e/checkers/history-event.ts";
import { judgeHistory } from "#e2e/checkers/judge-history.ts";

export const TOPIC = "incidents";
const GROUP = "workers";

const actionOf = (incident: string): ExpectedAction => ({
  rule: "restart",
  action: "ticket",
  incident,
  transition: "active",
  startedOnMs: 1000,
  idempotent: false,
  attemptsMax: 1,
});

/**
 * A broker, what was published there, and what plain clients of it have done, which claim nothing.
 */
export class ClientRun implements AsyncDisposable {
  readonly #control: KafkaControl;
  readonly #feed: ProtocolFeed;
  readonly #bootstrap: readonly string[];
  readonly #record = new KitRecord();
  readonly #work: HistoryEvent[] = [];
  readonly #stack: AsyncDisposableStack;

  static async begin(partitions = 1): Promise<ClientRun> {
    await using starting = new AsyncDisposableStack();
    const cluster = starting.use(
      await startKafka({
        topics: [{ name: TOPIC, partitions }],
        protocolEventsMax: 10_000,
        sessionTimeoutMsMin: 100,
      }),
    );
    const control = starting.use(localControl(cluster));
    return new ClientRun(control, cluster.bootstrap(), starting.move());
  }

  private constructor(
    control: KafkaControl,
    bootstrap: readonly string[],
    stack: AsyncDisposableStack,
  ) {
    this.#control = control;
    this.#feed = new ProtocolFeed(control);
    this.#bootstrap = bootstrap;
    this.#stack = stack;
  }

  async deleteRecordsBefore(offset: bigint): Promise<void> {
    await this.#control.deleteRecordsBefore({ topic: TOPIC, partition: 0, offset });
  }

  async publish(incident: string, partition = 0): Promise<void> {
    const expected = [actionOf(incident)];
    const record = { key: incident, value: incident, partition, incident, expected };
    await this.#record.append(record, ({ key, value }) =>
      this.#control.append({
        topic: TOPIC,
        key: Buffer.from(key ?? ""),
        value: Buffer.from(value ?? ""),
        partition,
      }),
    );
  }

  async consumer(clientId: string): Promise<Consumer> {
    const retry = { initialRetryTime: 5, maxRetryTime: 50, retries: 50 };
    const kafka = new Kafka({
      clientId,
      brokers: [...this.#bootstrap],
      logLevel: logLevel.NOTHING,
      retry,
    });
    const options = { groupId: GROUP, heartbeatInterval: 30, maxWaitTimeInMs: 30, retry };
    const consumer = kafka.consumer(options);
    this.#stack.defer(() => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
    return consumer;
  }

  /** Records that the client has done what the incident asks for, and knows that it is done. */
  work(pod: string, incident: string): void {
    const key = actionKeyOf(actionOf(incident));
    const atMs = Date.now();
    const trace = { traceId: null, parentId: null, path: "/" };
    this.#work.push(
      { kind: "effect", atMs, key, pod, ...trace },
      {
        kind: "ended",
        from: "file",
        atMs,
        pod,
        key,
        attempt: 1,
        nonce: `${pod}-${this.#work.length}`,
        outcome: "done",
        reason: "sent",
      },
    );
  }

  get done(): number {
    return this.#work.length / 2;
  }

  async protocol(): Promise<readonly ProtocolEvent[]> {
    return await this.#feed.all();
  }

  async commits(): Promise<readonly string[]> {
    return (await this.protocol()).flatMap((event) =>
      event.type === "offset-committed"
        ? [`${event.clientId} ${event.partition}/${event.offset} ${event.error ?? "accepted"}`]
        : [],
    );
  }

  /** Returns the partitions that each client has now. */
  async assignment(): Promise<ReadonlyMap<string, readonly number[]>> {
    const formed = (await this.protocol()).findLast((event) => event.type === "generation-formed");
    const members = formed?.members ?? [];
    return new Map(
      members.map(({ clientId, partitions }) => [
        clientId,
        partitions.map(({ partition }) => partition),
      ]),
    );
  }

  /** Returns the verdicts on the invariants that can be judged for clients that claim nothing. */
  async verdicts(): Promise<readonly InvariantVerdict[]> {
    const stored = await this.#control.records({ topic: TOPIC });
    const { events: published } = this.#record.published(
      TOPIC,
      stored.map(({ partition, offset, timestampMs, key, value }) => ({
        partition,
        offset,
        timestampMs,
        key: key === null ? null : Buffer.from(key).toString(),
        value,
        headers: {},
      })),
    );
    const converged = { kind: "mark", what: "converged", atMs: Date.now() } as const;
    const protocol = protocolEvents(await this.protocol(), TOPIC);
    const events = [...published, ...protocol, ...this.#work, converged];
    const { verdicts } = judgeHistory({
      events: events.toSorted((one, other) => one.atMs - other.atMs),
      lacking: new Map(),
      incomplete: new Map(),
      strangeFiles: [],
      contractFile: [],
      unreadyMsMax: 1000,
    });
    return verdicts.filter(({ invariant }) => JUDGED.has(invariant));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const JUDGED = new Set([
  "committed-owned",
  "committed-terminal",
  "committed-to-end",
  "every-event-terminal",
  "one-execution-per-action",
]);
