import kafkajs from "kafkajs";

import { answeredFailure, errorOf, unansweredFailure } from "./answers.ts";
import type { PartitionFailure } from "./answers.ts";
import { internal } from "#consumer/adapters/kafka/internals.ts";
import { byTopic, EARLIEST, listOffsets } from "./leaders.ts";
import type { KafkajsBroker, KafkajsCluster, OffsetsAnswer, Place } from "./leaders.ts";
import type { PartitionWatch } from "./watch.ts";

interface OffsetManager<Broker extends KafkajsBroker> {
  coordinator: object;
  readonly resolvedOffsets: Record<string, Record<number, string>>;
  readonly cluster: KafkajsCluster<Broker> & {
    readonly logger: { error(message: string, fields: object): void };
  };
  committedOffsets(): Record<string, Record<number, string>>;
  getCoordinator(): Promise<{
    offsetFetch(request: { groupId: string; topics: readonly object[] }): Promise<OffsetsAnswer>;
  }>;
  nextOffset(topic: string, partition: number): { toString(): string };
  setDefaultOffset(place: Place): Promise<void>;
}

/** A member of the group, with the offsets of its present generation. */
export interface PositionedGroup<Broker extends KafkajsBroker> {
  readonly cluster: KafkajsCluster<Broker>;
  readonly groupId: string;
  readonly offsetManager: OffsetManager<Broker>;
  assigned(): readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

export function hasPosition(
  { offsetManager }: PositionedGroup<KafkajsBroker>,
  { topic, partition }: Place,
): boolean {
  const offset = offsetManager.committedOffsets()[topic]?.[partition];
  return offset !== undefined && BigInt(offset) >= 0n;
}

/** The searches that are under way, by the generation. */
const resolutions = new WeakMap<object, Promise<void>>();

/**
 * Finds the start of the partitions that have no position yet: the committed offset of the group, otherwise the first
 * record. Returns undefined when all have a position. A partition whose position cannot be had is reported to the
 * watch and left alone for a while.
 */
export function resolvePositions(
  group: PositionedGroup<KafkajsBroker>,
  watch: PartitionWatch,
): Promise<void> | undefined {
  const { offsetManager } = group;
  const present = resolutions.get(offsetManager);
  if (present !== undefined) return present;
  const places = group
    .assigned()
    .flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
    .filter((place) => !hasPosition(group, place) && watch.mayAsk(place));
  if (places.length === 0) return undefined;
  const resolving = resolve(places, group, watch).finally(() => resolutions.delete(offsetManager));
  resolutions.set(offsetManager, resolving);
  return resolving;
}

async function resolve(
  places: readonly Place[],
  group: PositionedGroup<KafkajsBroker>,
  watch: PartitionWatch,
): Promise<void> {
  const { offsetManager } = group;
  const set = ({ topic, partition }: Place, offset: string): void => {
    // A position of an earlier generation may be out of date, because other members have worked on the partition
    // since.
    if (group.offsetManager !== offsetManager) return;
    const committed = offsetManager.committedOffsets();
    committed[topic] = { ...committed[topic], [partition]: offset };
  };
  const withoutOffset: Place[] = [];
  try {
    const coordinator = await offsetManager.getCoordinator();
    const { responses } = await coordinator.offsetFetch({
      groupId: group.groupId,
      topics: byTopic(places, ({ partition }) => ({ partition })),
    });
    for (const { topic, partitions } of responses) {
      for (const { partition, errorCode, offset } of partitions) {
        const place = { topic, partition };
        if (errorCode !== 0) {
          watch.backOff(place, answeredFailure("OffsetFetch", errorOf(errorCode)));
        } else if (BigInt(offset) < 0n) withoutOffset.push(place);
        else set(place, offset);
      }
    }
  } catch (error) {
    for (const place of places) watch.backOff(place, unansweredFailure("OffsetFetch", error));
    throw error;
  }
  await listOffsets(group.cluster, withoutOffset, EARLIEST, (place, found) => {
    if (typeof found === "bigint") set(place, String(found));
    else watch.backOff(place, found);
  });
}

/**
 * Patches src/consumer/offsetManager: there, OFFSET_OUT_OF_RANGE commits -1 or -2 over the offset of the group, even
 * without autoCommit. Here the position moves to the earliest record, and the committed offset stays until a record
 * is done. Records that come again are suppressed by the history, and records that are gone are logged.
 */
export function guardOutOfRange(): void {
  internal<OffsetManager<KafkajsBroker>>("consumer/offsetManager")(
    "setDefaultOffset",
    () => seekEarliest,
  );
}

async function seekEarliest(this: OffsetManager<KafkajsBroker>, place: Place): Promise<void> {
  const { topic, partition } = place;
  const offset = this.resolvedOffsets[topic]?.[partition];
  const answers: (bigint | PartitionFailure)[] = [];
  await listOffsets(this.cluster, [place], EARLIEST, (_place, answer) => answers.push(answer));
  const [found] = answers;
  if (typeof found !== "bigint") {
    throw new kafkajs.KafkaJSError(found?.detail ?? "no offset", { retriable: true });
  }
  const earliest = String(found);
  const resolved = this.resolvedOffsets[topic];
  const committed = this.committedOffsets()[topic];
  if (resolved === undefined || committed === undefined) return;
  const told = { topic, partition, offset, earliest };
  this.cluster.logger.error("Offset out of range: reading on from the earliest record", told);
  resolved[partition] = earliest;
  committed[partition] = earliest;
}
