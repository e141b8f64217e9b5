import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 7,
  name: "deleted-in-mid-action",
  title:
    "A pod that is deleted during an action lets the action end or records that it is in doubt, and never repeats it.",
  long: true,
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const first = await deployment.readyPod();
    step("delete the pod while its action is held, then let the action end");
    const answered = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await answered.arrived;
    await deployment.target.deletePod(first);
    await deployment.until("the consumer drains", async () => {
      const answer = await deployment.readiness(first);
      return answer?.status === 503 && answer.body.includes("draining");
    });
    await answered.release();
    const firstEnd = lastTermination(await deployment.gone(first));
    expectFault((await answered.hits()) === 1, "no action was held");
    expectEqual(firstEnd?.exitCode, 0, "exit code of the drained consumer");
    await deployment.allCommitted();
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters of an action that ended");

    step("delete the next pod while its action is held for good");
    const second = await deployment.readyPod();
    const withheld = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await withheld.arrived;
    await deployment.target.deletePod(second);
    await deployment.gone(second);
    expectFault((await withheld.hits()) === 1, "no action was held");
    await withheld.drop();
    await deployment.ready();
    await deployment.verify();
    const letters = await deployment.deadLetters();
    expectEqual(countDeadActions(letters), 1, "actions without an answer in the dead letter");
    expectEqual(letters[0]?.headers["dead-letter-reason"], "in-doubt", "reason of the dead letter");
    expect((await deployment.effects()).length === 2, "each incident has one effect");
  },
};
