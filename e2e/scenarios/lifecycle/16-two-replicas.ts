import { expect, expectEqual } from "#e2e/errors.ts";
import { podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 16,
  name: "two-replicas",
  title: "Two replicas share the volume and the partitions, and each incident has one effect.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy({ replicas: 2, partitions: 4 });
    const pods = (await deployment.ready()).map((pod) => podName(pod));
    step("wait until the group has two members with two partitions each");
    const members = await deployment.until("two members share the partitions", async () => {
      const present = await deployment.broker.members(deployment.names.group);
      return (
        present.length === 2 &&
        present.every(({ partitions }) => partitions.length === 2) &&
        present
      );
    });
    expectEqual(
      members
        .map(({ clientId }) => clientId)
        .toSorted()
        .join(", "),
      pods.toSorted().join(", "),
      "client ids of the members",
    );
    const owned = members.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));
    expectEqual(new Set(owned).size, 4, "partitions that are owned by one member");
    step("publish 40 incidents, and all of them again");
    const incidents = await deployment.publish(40);
    for (const incident of incidents) await deployment.publishAgain(incident);
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 40, "effects");
    const claimants = new Set(
      (await deployment.historyFiles()).claims.map(({ content }) => content.pod),
    );
    for (const pod of pods) expect(claimants.has(pod), `pod ${pod} did nothing`);
  },
};
