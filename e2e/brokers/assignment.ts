/** A partition that is assigned to a member of a group. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Reads the assignment that the leader of a group gave to a member: a ConsumerProtocolAssignment of Apache Kafka, which
 * holds a version and then topics with their partitions. Whatever follows them is ignored. The result is sorted by
 * topic and partition, and is empty before the first assignment. Throws RangeError when the bytes are cut short.
 */
export function readAssignment(bytes: Buffer): AssignedPartition[] {
  if (bytes.length === 0) return [];
  const assigned: AssignedPartition[] = [];
  // The version takes the first 2 bytes.
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
  // Assigners write topics and partitions in any order.
  return assigned.toSorted(
    (left, right) =>
      left.topic.localeCompare(right.topic, "en") || left.partition - right.partition,
  );
}
