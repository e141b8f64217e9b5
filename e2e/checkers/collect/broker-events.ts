import type { ProtocolEvent, StoredRecord } from "#e2e/brokers/broker.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";

/**
 * Returns what the broker applied of the consumer protocol for one topic. The client id of a pod is
 * its name (`kafka.clientIdPerPod`).
 */
export function protocolEvents(events: readonly ProtocolEvent[], topic: string): HistoryEvent[] {
  return events.flatMap((event) => protocolEvent(event, topic));
}

function protocolEvent(event: ProtocolEvent, topic: string): HistoryEvent[] {
  const { atMs } = event;
  if (event.type === "generation-formed") {
    const { group, generation } = event;
    const members = event.members.map(({ memberId, clientId, partitions }) => ({
      memberId,
      pod: clientId,
      partitions,
    }));
    return [{ kind: "assigned", atMs, group, generation, members }];
  }
  // Operators and the kit itself read other topics.
  if (event.topic !== topic) return [];
  const { partition, clientId } = event;
  const place = { topic, partition, offset: String(event.offset) };
  if (event.type === "records-fetched") {
    const nextOffset = String(event.nextOffset);
    return [{ kind: "delivered", atMs, ...place, nextOffset, pod: clientId }];
  }
  const { group, memberId, generation, error } = event;
  return [
    {
      kind: "committed",
      atMs,
      ...place,
      group,
      pod: clientId,
      memberId,
      generation,
      accepted: error === null,
    },
  ];
}

/** The ends of a topic at a moment of the runner's clock. */
export interface TopicEnd {
  readonly atMs: number;
  /** The offset after the last record, by partition. */
  readonly offsets: ReadonlyMap<number, bigint>;
}

/**
 * Returns the dead letters that were in the topic at `end`, with the times at which the broker
 * appended them. Offsets decide which were there, since the clock of a broker on another machine
 * may be ahead and a broker that refuses the topic's setting keeps the time of the producer.
 */
export function deadLetterEvents(
  records: readonly StoredRecord[],
  topic: string,
  end: TopicEnd,
): HistoryEvent[] {
  const present = records.filter(
    ({ partition, offset }) => offset < (end.offsets.get(partition) ?? 0n),
  );
  return present.map(({ partition, offset, timestampMs, headers }) => ({
    kind: "dead-lettered",
    atMs: Math.min(timestampMs, end.atMs),
    topic,
    partition,
    offset: String(offset),
    key: headers["action-key"] ?? null,
    attempt: headers["action-attempt"] === undefined ? null : Number(headers["action-attempt"]),
    reason: headers["dead-letter-reason"] ?? "",
    source: sourceOf(headers),
  }));
}

function sourceOf(headers: StoredRecord["headers"]) {
  const { "source-topic": topic, "source-partition": partition, "source-offset": offset } = headers;
  if (topic === undefined || partition === undefined || offset === undefined) return null;
  return { topic, partition: Number(partition), offset };
}
