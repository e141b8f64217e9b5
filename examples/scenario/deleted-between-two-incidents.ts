import { expectEqual } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** A scenario of the suite lives in e2e/scenarios/<theme>/<number>-<name>.ts. CONTRIBUTING.md says how to add one. */
export const scenario: Scenario = {
  number: 99,
  name: "deleted-between-two-incidents",
  title: "A pod that replaces a deleted one acts on new incidents, and on none a second time.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const pod = await deployment.readyPod();
    await deployment.publish(1);
    await deployment.allCommitted();
    step(`delete ${pod}`);
    await deployment.target.deletePod(pod);
    await deployment.gone(pod);
    await deployment.ready();
    await deployment.publish(1);
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 2, "effects");
  },
};
