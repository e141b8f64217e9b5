import { expect, expectEqual } from "#e2e/errors.ts";
import { patientActions } from "#e2e/deployment/patient-actions.ts";
import { restarts } from "#e2e/deployment/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** Of one partition, one after the other. */
const LOST_REPLIES = 3;

export const commitAppliedThenDropped: Scenario = {
  number: 25,
  name: "commit-applied-then-dropped",
  title:
    "Commits that are applied while their replies are lost: nothing is done again, or skipped.",
  needs: ["fault-rules"],
  run: async ({ stage: open, step, durations }) => {
    const stage = await open({ configure: patientActions(durations) });
    const name = await stage.readyPod();
    await stage.publish(2);
    await stage.settled();
    const committed = async (): Promise<bigint> =>
      (await stage.broker.committedOffsets(stage.names.group, stage.names.topic)).get(0) ?? 0n;
    const before = await committed();
    step(`apply the next ${LOST_REPLIES} commits, and close the connection instead of answering`);
    await using lost = await stage.broker.addFault({
      api: "OffsetCommit",
      direction: "reply",
      group: stage.names.group,
      topic: stage.names.topic,
      partition: 0,
      action: { type: "drop" },
      times: LOST_REPLIES,
    });
    for (let count = 1; count <= LOST_REPLIES; count += 1) {
      await stage.publish(1, 0);
      await stage.until(`reply ${count} is lost`, async () => (await lost.hits()) >= count);
      // Applied all the same: this is what the consumer does not know.
      expect((await committed()) > before, "the commit whose reply was lost was not applied");
    }
    step("go on");
    await stage.publish(2, 0);
    await stage.judge();
    const published = 2 + LOST_REPLIES + 2;
    expectEqual((await stage.effects()).length, published, "effects");
    expectEqual((await stage.deadLetters()).length, 0, "dead letters");
    expectEqual(await lost.hits(), LOST_REPLIES, "lost replies");
    const pod = stage.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};
