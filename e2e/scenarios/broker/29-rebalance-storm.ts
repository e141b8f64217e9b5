import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expectFault } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** The number of rebalances. Each begins as soon as the members have joined after the one before. */
const REBALANCES = 8;

export const scenario: Scenario = {
  number: 29,
  name: "rebalance-storm",
  title: "During one rebalance after another under load no key acts twice, and every key ends.",
  needs: ["forced-rebalance"],
  long: true,
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({
      replicas: 2,
      partitions: 4,
      configure: longerActionDeadline(durations),
    });
    await deployment.ready();
    const formed = async (after: number): Promise<number> =>
      await deployment.until(`two members form a generation after ${after}`, async () => {
        const { generation } = await deployment.broker.group(deployment.names.group);
        const members = await deployment.broker.members(deployment.names.group);
        const isFormed =
          generation > after &&
          members.length === 2 &&
          members.every(({ partitions }) => partitions.length > 0);
        return isFormed && generation;
      });
    const first = await formed(0);
    await using load = startLoad(deployment, { intervalMs: durations.loadIntervalMs, signal });
    await load.reached(5);
    step(`make the members join again ${REBALANCES} times`);
    const startMs = Date.now();
    let generation = first;
    for (let count = 1; count <= REBALANCES; count += 1) {
      const isBegun = await deployment.broker.rebalance(deployment.names.group);
      expectFault(isBegun, `rebalance ${count} was not begun`);
      generation = await formed(generation);
    }
    const during = load.published;
    step(`${generation - first} generations in ${Date.now() - startMs} ms`);
    await load.reached(during + 5);
    await load.stop();
    step(`verify ${load.published} incidents`);
    await deployment.verify();
    step(`${countDeadActions(await deployment.deadLetters())} of them are in the dead letter`);
  },
};
