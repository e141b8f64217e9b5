import type { StoredRecord } from "#e2e/brokers/broker.ts";

/**
 * How many actions are in the dead letter. Letters are delivered at least once: a pod may have one
 * acknowledged and lose its partition before it commits. Undecodable records have no action and count nothing.
 */
export function countDeadActions(letters: readonly Pick<StoredRecord, "headers">[]): number {
  const keys = letters.map(({ headers }) => headers["action-key"]);
  return new Set(keys.filter((key) => key !== undefined)).size;
}
