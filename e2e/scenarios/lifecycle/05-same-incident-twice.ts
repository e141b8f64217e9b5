import { expectEqual, expectFault } from "#e2e/errors.ts";
import { patientActions } from "#e2e/deployment/patient-actions.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const sameIncidentTwice: Scenario = {
  number: 5,
  name: "same-incident-twice",
  title: "The same incident, published again in any partition at any time, has one effect.",
  run: async ({ stage: open, step, durations }) => {
    const stage = await open({ partitions: 2, configure: patientActions(durations) });
    await stage.ready();
    step("publish one incident four times at once, in both partitions");
    const [incident] = await stage.publish(1);
    if (incident === undefined) return;
    for (const partition of [0, 1, 0]) await stage.publishAgain(incident, partition);
    await stage.settled();
    step("publish it again when it is done");
    await stage.publishAgain(incident, 1);
    await stage.judge();
    const records = await stage.broker.read(stage.names.topic);
    expectFault(records.length === 5, `the topic holds ${records.length} records, not 5`);
    const requests = await stage.actions.requests();
    expectEqual(requests.length, 1, "requests to the action target");
    expectEqual((await stage.effects()).length, 1, "effects");
    expectEqual((await stage.deadLetters()).length, 0, "dead letters");
  },
};
