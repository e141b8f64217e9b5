import { ConsumerError } from "#consumer/errors.ts";
import type { BatchHandler, Clock, OutgoingRecord, SourceRecord } from "#consumer/ports.ts";
import type { ModelSteps } from "./steps.ts";

const TOPIC = "bigpanda.incidents";
/** The delay between a batch that failed and the next fetch. */
const REFETCH_MS = 700;

interface Partition {
  readonly log: SourceRecord[];
  /** The first offset that the group has not committed. */
  committed: number;
  owner: Member | undefined;
  /** Increases with every assignment, so that commits of an earlier assignment are refused. */
  epoch: number;
  /**
   * Tells the process that owns the partition, or owned it last, that the assignment is revoked.
   */
  revoke: (() => void) | undefined;
}

interface Member {
  readonly who: string;
  readonly clock: Clock;
  readonly handle: BatchHandler;
  readonly handling: Set<Promise<void>>;
  readonly draining: AbortController;
}

export interface ModelBroker {
  produce(partition: number, value: Uint8Array, timestampMs: number): SourceRecord;
  /** Adds the process to the group; it gets partitions at the next rebalance. */
  join(who: string, clock: Clock, handle: BatchHandler): void;
  /** Hands out no new batch to the process; resolves when its running batches have ended. */
  drain(who: string): Promise<void>;
  /** Removes a process that has left or whose session has expired, and frees its partitions. */
  leave(who: string): void;
  /**
   * Gives partition i to owners[i]. An owner that stays keeps its assignment, unless `fresh` is
   * set.
   */
  rebalance(owners: readonly (string | undefined)[], fresh?: boolean): void;
  /**
   * Moves the group back to an earlier offset, as an operator does. The owner of the partition
   * loses it first.
   */
  resetOffset(partition: number, to: number): void;
  publish(who: string, record: OutgoingRecord): Promise<void>;
  readonly members: readonly string[];
  readonly partitions: readonly {
    readonly log: readonly SourceRecord[];
    readonly committed: number;
    readonly owner: string | undefined;
  }[];
  /** True when no process is handling a batch. */
  readonly idle: boolean;
  readonly deadLetters: readonly OutgoingRecord[];
}

export interface ModelBrokerOptions {
  readonly partitions: number;
  readonly steps: ModelSteps;
  /** Returns the number of records of the next fetch, at least 1. */
  readonly batchSize: (partition: number) => number;
  /** Called before the committed offset moves. */
  readonly onCommit: (partition: number, next: number, own: boolean) => void;
  /** Called when a batch tries to commit although its process knows that the assignment is lost. */
  readonly onLateCommit: (who: string, partition: number) => void;
}

/**
 * Creates a topic, its consumer group and the dead-letter topic, with assignments that have epochs
 * and commits that are fenced.
 */
export function createModelBroker(options: ModelBrokerOptions): ModelBroker {
  const { steps, batchSize, onCommit, onLateCommit } = options;
  const deadLetters: OutgoingRecord[] = [];
  const members = new Map<string, Member>();
  const partitions: Partition[] = Array.from({ length: options.partitions }, () => ({
    log: [],
    committed: 0,
    owner: undefined,
    epoch: 0,
    revoke: undefined,
  }));
  let arrivals: (() => void)[] = [];

  const wakeAll = (): void => {
    const waiting = arrivals;
    arrivals = [];
    for (const wake of waiting) wake();
  };

  /** Fetches and hands out batches until the assignment ends. */
  const work = async (member: Member, index: number, partition: Partition): Promise<void> => {
    const { who, clock, handle, draining } = member;
    const { epoch } = partition;
    const revoked = new AbortController();
    const { signal } = revoked;
    const lose = async (): Promise<void> => {
      await steps.step(who, { kind: "notice", phase: "before", subject: `revoked ${index}` });
      revoked.abort(assignmentLost(index));
      wakeAll();
    };
    partition.revoke = () => void lose();
    await steps.step(who, { kind: "notice", phase: "before", subject: `assigned ${index}` });
    let position: number | undefined;
    const over = (): boolean => signal.aborted || draining.signal.aborted;
    while (!over()) {
      if ((position ?? partition.committed) >= partition.log.length) {
        await new Promise<void>((resolve) => arrivals.push(resolve));
        continue;
      }
      await steps.step(who, { kind: "fetch", phase: "before", subject: String(index) });
      if (over()) return;
      position ??= partition.committed;
      const records = partition.log.slice(position, position + batchSize(index));
      const handled = handle({
        assignment: { topic: TOPIC, partition: index, epoch, signal },
        records,
        nextOffset: BigInt(position + records.length),
        commit: (next) => commit(member, index, epoch, signal, Number(next)),
      });
      member.handling.add(handled);
      try {
        await handled;
        position += records.length;
      } catch {
        position = undefined;
        await clock
          .sleep(REFETCH_MS, AbortSignal.any([signal, draining.signal]))
          .catch(() => undefined);
      } finally {
        member.handling.delete(handled);
      }
    }
  };

  const commit = async (
    { who }: Member,
    index: number,
    epoch: number,
    signal: AbortSignal,
    next: number,
  ): Promise<void> => {
    if (signal.aborted) {
      onLateCommit(who, index);
      throw assignmentLost(index);
    }
    const subject = `${index} ${next}`;
    const how = await steps.step(who, { kind: "commit", phase: "before", subject });
    if (how.kind === "fail") throw unavailable();
    const partition = partitionAt(index);
    if (partition.epoch !== epoch || partition.owner?.who !== who) throw assignmentLost(index);
    onCommit(index, next, partition.owner.who === who);
    partition.committed = next;
    if (how.kind === "lose") throw unavailable();
    if (how.kind === "hold") await steps.step(who, { kind: "commit", phase: "after", subject });
  };

  const partitionAt = (index: number): Partition => {
    const partition = partitions[index];
    if (!partition) throw new RangeError(`partition ${index}`);
    return partition;
  };

  const assign = (index: number, owner: Member | undefined): void => {
    const partition = partitionAt(index);
    partition.revoke?.();
    partition.revoke = undefined;
    partition.owner = owner;
    partition.epoch += 1;
    if (owner) void work(owner, index, partition);
  };

  return {
    deadLetters,
    get members() {
      return [...members.keys()];
    },
    get partitions() {
      return partitions.map(({ log, committed, owner }) => ({ log, committed, owner: owner?.who }));
    },
    get idle() {
      return [...members.values()].every(({ handling }) => handling.size === 0);
    },
    produce(index, value, timestampMs) {
      const { log } = partitionAt(index);
      const record: SourceRecord = {
        topic: TOPIC,
        partition: index,
        offset: BigInt(log.length),
        key: null,
        value,
        headers: {},
        timestampMs,
      };
      log.push(record);
      wakeAll();
      return record;
    },
    join(who, clock, handle) {
      members.set(who, {
        who,
        clock,
        handle,
        handling: new Set(),
        draining: new AbortController(),
      });
    },
    async drain(who) {
      const member = members.get(who);
      if (!member) return;
      member.draining.abort(new Error("draining"));
      wakeAll();
      await Promise.allSettled(member.handling);
    },
    leave(who) {
      members.delete(who);
      for (const [index, { owner }] of partitions.entries()) {
        if (owner?.who === who) assign(index, undefined);
      }
    },
    rebalance(owners, fresh = false) {
      for (const [index, partition] of partitions.entries()) {
        const who = owners[index];
        const owner = who === undefined ? undefined : members.get(who);
        if (fresh || owner !== partition.owner) assign(index, owner);
      }
    },
    resetOffset(index, to) {
      const partition = partitionAt(index);
      const { owner } = partition;
      assign(index, undefined);
      partition.committed = Math.min(to, partition.committed);
      assign(index, owner);
    },
    async publish(who, record) {
      const subject = record.headers["action-key"] ?? "record";
      const how = await steps.step(who, { kind: "publish", phase: "before", subject });
      if (how.kind === "fail") throw unavailable();
      deadLetters.push(record);
      if (how.kind === "lose") throw unavailable();
      if (how.kind === "hold") await steps.step(who, { kind: "publish", phase: "after", subject });
    },
  };
}

function assignmentLost(partition: number): ConsumerError {
  return new ConsumerError("assignment-lost", `${TOPIC}/${partition} belongs to another`);
}

function unavailable(): ConsumerError {
  return new ConsumerError("broker-unavailable", "no acknowledgement");
}
