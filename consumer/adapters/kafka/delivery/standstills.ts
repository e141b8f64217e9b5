import type { Log, Metrics, Standstill } from "#consumer/ports.ts";
import { partitionKey } from "#consumer/adapters/kafka/assignments.ts";

/** The assigned partitions that stand still, with one entry each. Every change goes to log and metric. */
export interface Standstills {
  /** Begins a standstill, or replaces that of the partition. A standstill that stays the same is not logged again. */
  note(found: Omit<Standstill, "sinceMs">): void;
  /** Ends the standstill of a partition that is read again. */
  forget(topic: string, partition: number | undefined): void;
  /** Ends all standstills, because the partitions may belong to another member from now on. */
  forgetAll(): void;
  readonly present: readonly Standstill[];
}

export function createStandstills({
  log,
  metrics,
}: {
  readonly log: Log;
  readonly metrics: Pick<Metrics, "gauge">;
}): Standstills {
  const present = new Map<string, Standstill>();

  function show(standstill: Standstill, value: 1 | undefined): void {
    const { topic, partition, offset, cause } = standstill;
    metrics.gauge("standstill", value, {
      topic,
      partition: partition === undefined ? "" : String(partition),
      offset: offset === undefined ? "" : String(offset),
      cause,
    });
  }

  /** Removes a standstill; returns false when there was none. */
  function drop(key: string): boolean {
    const dropped = present.get(key);
    if (dropped === undefined) return false;
    show(dropped, undefined);
    return present.delete(key);
  }

  return {
    note(found) {
      const key = keyOf(found.topic, found.partition);
      const { topic, partition, offset, cause, detail } = found;
      const former = present.get(key);
      if (former?.offset === offset && former?.cause === cause && former.detail === detail) return;
      drop(key);
      const standstill = { ...found, sinceMs: Date.now() };
      present.set(key, standstill);
      show(standstill, 1);
      log.error("partition.stands-still", {
        topic,
        ...(partition !== undefined && { partition }),
        ...(offset !== undefined && { offset: String(offset) }),
        cause,
        detail,
      });
    },
    forget(topic, partition) {
      if (drop(keyOf(topic, partition))) log.info("partition.read-again", { topic, partition });
    },
    forgetAll() {
      for (const key of present.keys()) drop(key);
    },
    get present() {
      return [...present.values()];
    },
  };
}

function keyOf(topic: string, partition: number | undefined): string {
  return partition === undefined ? topic : partitionKey(topic, partition);
}
