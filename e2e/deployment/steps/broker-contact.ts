import { expectEqual } from "#e2e/errors.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/**
 * Throws ExpectationError unless no pod has contacted the broker so far, so that the broker saw no connection. A broker
 * that does not show its connections is asked for traces that a pod would have left: members and committed offsets.
 */
export async function expectNoContact(
  { broker, names }: TestDeployment,
  when: string,
): Promise<void> {
  if (broker.abilities.has("broker-connections")) {
    const activity = await broker.clientActivity();
    expectEqual(activity.length, 0, `connections to the broker ${when}`);
    return;
  }
  const { group, topic } = names;
  expectEqual((await broker.members(group)).length, 0, `members of the group ${when}`);
  const committed = await broker.committedOffsets(group, topic);
  expectEqual(committed.size, 0, `committed offsets of the group ${when}`);
}
