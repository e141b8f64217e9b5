import { expectEqual, expectFault } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 5,
  name: "same-incident-twice",
  title:
    "The same incident has one effect, even when it is published again in any partition at any time.",
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ partitions: 2, configure: longerActionDeadline(durations) });
    await deployment.ready();
    step("publish one incident four times at once, in both partitions");
    const [incident] = await deployment.publish(1);
    if (incident === undefined) return;
    for (const partition of [0, 1, 0]) await deployment.publishAgain(incident, partition);
    await deployment.allCommitted();
    step("publish it again when it is done");
    await deployment.publishAgain(incident, 1);
    await deployment.verify();
    const records = await deployment.broker.read(deployment.names.topic);
    expectFault(records.length === 5, `the topic holds ${records.length} records, not 5`);
    const requests = await deployment.actions.requests();
    expectEqual(requests.length, 1, "requests to the action endpoint");
    expectEqual((await deployment.effects()).length, 1, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
  },
};
