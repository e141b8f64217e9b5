import { Admin } from "@platformatic/kafka";
import type { AdminOptions } from "@platformatic/kafka";

export type AdminAccess = Pick<AdminOptions, "bootstrapBrokers" | "tls" | "sasl">;

/**
 * Deletes those of the groups that exist. A pod that was killed stays a member until its session is over, and a group
 * with members cannot be deleted. So the members are removed first, which kafkajs cannot do.
 */
export async function deleteGroups(access: AdminAccess, groups: readonly string[]): Promise<void> {
  const admin = new Admin({ clientId: "kafka-consumer-kit", ...access });
  try {
    const present = await admin.listGroups();
    const left = groups.filter((group) => present.has(group));
    if (left.length === 0) return;
    const described = await admin.describeGroups({ groups: left });
    for (const [groupId, { members }] of described) {
      if (members.size > 0) await admin.removeMembersFromConsumerGroup({ groupId });
    }
    await admin.deleteGroups({ groups: left });
  } finally {
    await admin.close();
  }
}
