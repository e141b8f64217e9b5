import { expect, expectEqual } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** The number of lost replies in a row, all for one partition. */
const LOST_REPLIES = 3;

export const scenario: Scenario = {
  number: 25,
  name: "commit-applied-then-dropped",
  title:
    "When commits are applied but their replies are lost, no incident is handled again or skipped.",
  needs: ["fault-rules"],
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ configure: longerActionDeadline(durations) });
    const name = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();
    const committed = async (): Promise<bigint> =>
      (
        await deployment.broker.committedOffsets(deployment.names.group, deployment.names.topic)
      ).get(0) ?? 0n;
    const before = await committed();
    step(`apply the next ${LOST_REPLIES} commits, and close the connection instead of answering`);
    await using lost = await deployment.broker.addFault({
      api: "OffsetCommit",
      direction: "reply",
      group: deployment.names.group,
      topic: deployment.names.topic,
      partition: 0,
      action: { type: "drop" },
      times: LOST_REPLIES,
    });
    for (let count = 1; count <= LOST_REPLIES; count += 1) {
      await deployment.publish(1, 0);
      await deployment.until(`reply ${count} is lost`, async () => (await lost.hits()) >= count);
      // The commit was applied although the consumer does not know it.
      expect((await committed()) > before, "the commit whose reply was lost was not applied");
    }
    step("answer the commits again");
    await deployment.publish(2, 0);
    await deployment.verify();
    const published = 2 + LOST_REPLIES + 2;
    expectEqual((await deployment.effects()).length, published, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    expectEqual(await lost.hits(), LOST_REPLIES, "lost replies");
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};
