import type { Metrics } from "#consumer/ports.ts";
import { partitionKey } from "#consumer/adapters/kafka/assignments.ts";
import type { PartitionFailure } from "./answers.ts";
import { LATEST, leaderOf, listOffsets } from "./leaders.ts";
import type { KafkajsCluster, Place } from "./leaders.ts";
import type { Standstills } from "#consumer/adapters/kafka/delivery/standstills.ts";

/** The member of the group that reads the partitions. */
export interface Reader {
  readonly cluster: KafkajsCluster;
  isPaused(place: Place): boolean;
  /** Returns the committed offset of the partition; undefined as long as it is not known. */
  committed(place: Place): bigint | undefined;
}

/**
 * Watches every assigned partition, fetched or not. A partition that was not answered for `standstillMs` stands
 * still, whatever the cause. The lag of each is shown, unless its end is not known.
 */
export interface PartitionWatch {
  /** Watches these partitions instead of the earlier ones. */
  assigned(places: readonly Place[], reader: Reader): void;
  lost(): void;
  /** Notes that a partition was asked; `progress` changes as long as its answer is being received. */
  asked(place: Place, progress: () => number): void;
  answered(place: Place, end: bigint): void;
  failed(place: Place, failure: PartitionFailure): void;
  /** Does as `failed`, and leaves the partition alone for a while. */
  backOff(place: Place, failure: PartitionFailure): void;
  /** Returns false while the partition is left alone. */
  mayAsk(place: Place): boolean;
  close(): void;
}

interface WatchOptions {
  /** The topics that the member subscribes to. */
  readonly topics: readonly string[];
  readonly standstillMs: number;
  readonly standstills: Standstills;
  readonly metrics: Pick<Metrics, "gauge">;
}

interface Watched {
  readonly topic: string;
  /** The partition; undefined for a topic as a whole, which has no partitions. */
  readonly partition: number | undefined;
  end?: { readonly offset: bigint; readonly atMs: number };
  /** The time since when an answer is waited for. */
  sinceMs?: number;
  failure?: PartitionFailure;
  progress?: () => number;
  progressed?: number;
  /** The number of failures in a row. */
  failures: number;
  retryAtMs: number;
  isAskedForEnd: boolean;
}

/** The number of looks at the partitions within `standstillMs`; there is at least one a second. */
const LOOKS = 5;
const LOOK_MS_MAX = 1000;
const BACK_OFF_MS = 100;
const BACK_OFF_MS_MAX = 2000;
const REFRESH_INTERVAL_MS = 500;
/** The causes that only an operator gets past: the partition answers, but its records cannot be read. */
const BY_CONTENT = new Set(["unreadable", "too-large"]);

const UNANSWERED: PartitionFailure = { cause: "unanswered", detail: "its leader does not answer" };

/**
 * Returns how long a partition may be unanswered, in milliseconds: ten times as long as a broker holds an empty fetch
 * back, and at least a second.
 */
export function standstillAfterMs(maxWaitMs: number): number {
  return Math.max(1000, 10 * maxWaitMs);
}

export function createPartitionWatch(options: WatchOptions): PartitionWatch {
  const { metrics, standstills, standstillMs, topics } = options;
  const watched = new Map<string, Watched>();
  /**
   * The partitions that stood still in the generation before; joining the group again does not make one of them
   * ready.
   */
  let before = new Map<string, Watched>();
  let reader: Reader | undefined;
  let refreshedMs = Number.NEGATIVE_INFINITY;
  let isRefreshing = false;
  const lookMs = Math.min(LOOK_MS_MAX, standstillMs / LOOKS);
  const looking = setInterval(look, lookMs).unref();

  const find = ({ topic, partition }: Place) => watched.get(partitionKey(topic, partition));

  function look(): void {
    if (reader === undefined || reader.cluster.brokerPool.metadata === null) return;
    const nowMs = performance.now();
    lookForTopics(reader);
    const stale: Watched[] = [];
    for (const each of watched.values()) {
      const { partition, topic } = each;
      if (partition === undefined) continue;
      const leader = leaderOf(reader.cluster, { topic, partition });
      if (typeof leader !== "string") begin(each, leader);
      else if (nowMs - (each.end?.atMs ?? 0) >= lookMs && !each.isAskedForEnd) stale.push(each);
    }
    void askForEnds(stale, reader);
    for (const each of watched.values()) {
      checkStandstill(each);
      showLag(each, reader);
    }
    if ([...watched.values()].some(({ failure }) => failure !== undefined)) refresh(reader);
  }

  /** Looks for missing topics. As soon as one exists, the group is joined again for its partitions. */
  function lookForTopics({ cluster }: Reader): void {
    for (const topic of topics) {
      const isMissing = cluster.findTopicPartitionMetadata(topic).length === 0;
      const present = watched.get(topic);
      if (isMissing) {
        const each = present ?? newlyWatched(topic, undefined);
        watched.set(topic, each);
        begin(each, { cause: "missing", detail: "the cluster has no such topic" });
      } else if (present !== undefined) {
        end(present);
        watched.delete(topic);
      }
    }
  }

  /**
   * Asks for the ends of partitions that are not fetched at present, because they are paused or were not answered.
   */
  async function askForEnds(stale: readonly Watched[], by: Reader): Promise<void> {
    const places = stale.flatMap(({ topic, partition }) =>
      partition === undefined ? [] : [{ topic, partition }],
    );
    for (const place of places) {
      const each = find(place);
      if (each === undefined) continue;
      each.isAskedForEnd = true;
      if (by.isPaused(place)) each.sinceMs ??= performance.now();
    }
    await listOffsets(by.cluster, places, LATEST, (place, found) => {
      const each = stale.find(
        ({ topic, partition }) => topic === place.topic && partition === place.partition,
      );
      if (each === undefined) return;
      each.isAskedForEnd = false;
      if (find(place) !== each) return;
      if (typeof found !== "bigint") {
        if (by.isPaused(place)) begin(each, found);
        return;
      }
      showEnd(each, found);
      // The partition is paused on purpose, and its leader answers.
      if (by.isPaused(place)) end(each);
    });
  }

  function begin(each: Watched, failure: PartitionFailure): void {
    each.sinceMs ??= performance.now();
    each.failure = failure;
  }

  function end(each: Watched): void {
    delete each.sinceMs;
    delete each.failure;
    each.failures = 0;
    each.retryAtMs = 0;
    forget(each);
  }

  function forget({ topic, partition }: Watched): void {
    const present = standstillOf(topic, partition);
    if (present !== undefined && !BY_CONTENT.has(present.cause)) {
      standstills.forget(topic, partition);
    }
  }

  function standstillOf(topic: string, partition: number | undefined) {
    return standstills.present.find((each) => each.topic === topic && each.partition === partition);
  }

  function checkStandstill(each: Watched): void {
    const { topic, partition } = each;
    if (each.failure === undefined && each.progress !== undefined) {
      const progressed = each.progress();
      if (each.sinceMs !== undefined && progressed !== each.progressed) {
        each.sinceMs = performance.now();
      }
      each.progressed = progressed;
    }
    if (!isStanding(each)) return;
    const present = standstillOf(topic, partition);
    const failure = each.failure ?? UNANSWERED;
    // A standstill is reported once; more about the same cause is in the log of the connections.
    if (present?.cause === failure.cause) return;
    if (present !== undefined && BY_CONTENT.has(present.cause)) return;
    standstills.note({ topic, partition, offset: undefined, ...failure });
  }

  function showEnd(each: Watched, offset: bigint): void {
    each.end = { offset, atMs: performance.now() };
  }

  function showLag({ topic, partition, end: known }: Watched, by: Reader): void {
    if (partition === undefined) return;
    const committed = by.committed({ topic, partition });
    const isKnown = known !== undefined && performance.now() - known.atMs < standstillMs;
    const lag =
      isKnown && committed !== undefined
        ? Math.max(0, Number(known.offset - committed))
        : undefined;
    metrics.gauge("lag", lag, { topic, partition: String(partition) });
  }

  function refresh({ cluster }: Reader): void {
    if (isRefreshing || performance.now() - refreshedMs < REFRESH_INTERVAL_MS) return;
    isRefreshing = true;
    cluster
      .refreshMetadata()
      .catch(() => undefined)
      .finally(() => {
        isRefreshing = false;
        refreshedMs = performance.now();
      });
  }

  function lost(): void {
    if (watched.size > 0) before = new Map([...watched].filter(([, each]) => isStanding(each)));
    for (const { topic, partition } of watched.values()) {
      if (partition !== undefined) {
        metrics.gauge("lag", undefined, { topic, partition: String(partition) });
      }
    }
    watched.clear();
    reader = undefined;
  }

  function isStanding({ sinceMs }: Watched): boolean {
    return sinceMs !== undefined && performance.now() - sinceMs >= standstillMs;
  }

  return {
    assigned(places, by) {
      lost();
      reader = by;
      for (const { topic, partition } of places) {
        const key = partitionKey(topic, partition);
        const each = newlyWatched(topic, partition);
        const { sinceMs, failure } = before.get(key) ?? {};
        watched.set(key, each);
        if (sinceMs === undefined) continue;
        each.sinceMs = sinceMs;
        each.failure = failure ?? UNANSWERED;
        checkStandstill(each);
      }
    },
    lost,
    asked(place, progress) {
      const each = find(place);
      if (each === undefined) return;
      each.sinceMs ??= performance.now();
      each.progress = progress;
    },
    answered(place, offset) {
      const each = find(place);
      if (each === undefined) return;
      showEnd(each, offset);
      if (each.sinceMs !== undefined) end(each);
    },
    failed(place, failure) {
      const each = find(place);
      if (each !== undefined) begin(each, failure);
    },
    backOff(place, failure) {
      const each = find(place);
      if (each === undefined) return;
      begin(each, failure);
      each.retryAtMs =
        performance.now() + Math.min(BACK_OFF_MS * 2 ** each.failures, BACK_OFF_MS_MAX);
      each.failures += 1;
      if (reader !== undefined) refresh(reader);
    },
    mayAsk: (place) => performance.now() >= (find(place)?.retryAtMs ?? 0),
    close() {
      clearInterval(looking);
      lost();
    },
  };
}

function newlyWatched(topic: string, partition: number | undefined): Watched {
  return { topic, partition, failures: 0, retryAtMs: 0, isAskedForEnd: false };
}
