import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expectFault } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 17,
  name: "scaled-under-load",
  title:
    "When a deployment is scaled from two pods to one and back under load, no key acts twice and every key ends.",
  long: true,
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({ replicas: 2, partitions: 4 });
    await deployment.ready();
    await using load = startLoad(deployment, { intervalMs: durations.loadIntervalMs, signal });
    await load.reached(5);
    const members = async (count: number): Promise<void> => {
      await deployment.until(`the group has ${count} members with partitions`, async () => {
        const present = await deployment.broker.members(deployment.names.group);
        return present.length === count && present.every(({ partitions }) => partitions.length > 0);
      });
    };
    await members(2);
    step("scale to one");
    await deployment.target.scale(deployment.name, 1);
    await deployment.until(
      "one pod is left",
      async () => (await deployment.target.pods()).length === 1,
    );
    await members(1);
    const alone = load.published;
    step("scale to two");
    await deployment.target.scale(deployment.name, 2);
    await deployment.ready(2);
    await members(2);
    await load.reached(load.published + 5);
    await load.stop();
    expectFault(alone >= 5 && load.published > alone, "the load stood still");
    step(`verify ${load.published} incidents`);
    await deployment.verify();
    step(`${countDeadActions(await deployment.deadLetters())} of them are in the dead letter`);
  },
};
