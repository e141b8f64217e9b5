import type { StoredRecord } from "#e2e/brokers/broker.ts";

/**
 * Returns the number of actions in the dead letter topic. Dead letters are delivered at least once, since a pod may
 * lose its partition after a letter is acknowledged and before it commits. Undecodable records have no action and do
 * not count.
 */
export function countDeadActions(letters: readonly Pick<StoredRecord, "headers">[]): number {
  const keys = letters.map(({ headers }) => headers["action-key"]);
  return new Set(keys.filter((key) => key !== undefined)).size;
}
