/** A partition that a member was given. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Reads what the leader of a group gave a member (ConsumerProtocolAssignment of Apache Kafka: version, then
 * topics with their partitions; what follows is of no interest). By topic, then partition; empty before there is an
 * assignment. Throws RangeError for bytes that are cut short.
 */
export function readAssignment(bytes: Buffer): AssignedPartition[] {
  if (bytes.length === 0) return [];
  const assigned: AssignedPartition[] = [];
  // After the version, 2 bytes.
  let offset = 2;
  const int32 = (): number => {
    const value = bytes.readInt32BE(offset);
    offset += 4;
    return value;
  };
  for (let topics = int32(); topics > 0; topics -= 1) {
    const length = bytes.readInt16BE(offset);
    const topic = bytes.toString("utf8", offset + 2, offset + 2 + length);
    offset += 2 + length;
    for (let partitions = int32(); partitions > 0; partitions -= 1) {
      assigned.push({ topic, partition: int32() });
    }
  }
  // Assigners write them in any order.
  return assigned.toSorted(
    (left, right) =>
      left.topic.localeCompare(right.topic, "en") || left.partition - right.partition,
  );
}
