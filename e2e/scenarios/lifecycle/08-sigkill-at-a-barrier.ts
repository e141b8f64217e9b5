import { messageOf } from "#consumer/errors.ts";
import type { HoldMoment } from "#simulator/action-endpoint/action-endpoint-control.ts";
import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { ExpectationError, expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, containerStatus, isReady } from "#e2e/targets/pods.ts";
import type { Scenario, ScenarioContext } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 8,
  name: "sigkill-at-a-barrier",
  title:
    "A SIGKILL between claim and outcome causes no second effect after redelivery, and the key still ends.",
  needs: ["container-access"],
  long: true,
  run: async (context) => {
    const ends = await Promise.allSettled([
      killAt("after-effect", 1, context),
      killAt("before-request", 0, context),
    ]);
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [end.reason as unknown] : [],
    );
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new ExpectationError(errors.map(messageOf).join("\n"));
  },
};

/**
 * Kills the consumer at that moment of an action. `effects` is the number of effects that the action endpoint has
 * recorded when the process dies.
 */
async function killAt(
  holdMoment: HoldMoment,
  effects: number,
  { deploy, step, durations }: ScenarioContext,
): Promise<void> {
  const deployment = await deploy({
    configure: (document) => ({
      ...document,
      execution: { ...document.execution, orphanWaitMs: durations.orphanWaitMs },
    }),
  });
  const name = await deployment.readyPod();
  step(`${holdMoment}: kill the consumer while the action endpoint holds its action`);
  const held = await deployment.actions.hold(holdMoment, { times: 1 });
  const [incident] = await deployment.publish(1);
  await held.arrived;
  expectEqual((await deployment.effects()).length, effects, `${holdMoment}: effects at the kill`);
  await deployment.target.kill(name, APP, "SIGKILL");
  const restarted = await deployment.until(`${holdMoment}: the container is restarted`, () => {
    const pod = deployment.target.lastSeen(name);
    const status = pod && containerStatus(pod);
    return status !== undefined && status.restartCount >= 1 && status;
  });
  expectFault((await held.hits()) === 1, `${holdMoment}: no action was held`);
  expectFault(
    restarted.lastState?.terminated?.exitCode === 137,
    `${holdMoment}: the consumer did not end by SIGKILL`,
  );
  await held.release();
  step(`${holdMoment}: wait for redelivery and the end of the key`);
  await deployment.until(`${holdMoment}: the same pod is ready again`, () => {
    const pod = deployment.target.lastSeen(name);
    return pod !== undefined && isReady(pod);
  });
  await deployment.verify();
  const outcomes = (await deployment.historyFiles()).outcomes.map(({ content }) => content.outcome);
  expectEqual(outcomes.join(), "in-doubt", `${holdMoment}: outcomes of the key`);
  expect(
    (await deployment.effects()).length <= 1,
    `${holdMoment}: incident ${incident?.id} had more than one effect`,
  );
  const letters = await deployment.deadLetters();
  expectEqual(countDeadActions(letters), 1, `${holdMoment}: actions in the dead letter`);
  step(`${holdMoment}: check that the pod handles the next incident`);
  await deployment.publish(1);
  await deployment.verify();
}
