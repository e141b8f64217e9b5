import { expect, expectEqual } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 1,
  name: "incident-in-action-out",
  title: "An incident that a rule matches becomes one action, and its offset is committed.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    step("wait for the pod");
    await deployment.ready();
    step("publish three incidents that match and one that does not");
    const incidents = await deployment.publish(3);
    const unmatched = await deployment.publishUnmatched();
    await deployment.verify();
    const effects = await deployment.effects();
    expectEqual(effects.length, 3, "effects");
    for (const { id } of incidents) {
      const own = effects.filter(({ body }) => body.includes(id));
      expectEqual(own.length, 1, `effects of incident ${id}`);
      expectEqual(own[0]?.path, "/tickets", "path of the action");
    }
    expect(
      effects.every(({ body }) => !body.includes(unmatched.id)),
      "an incident that no rule matches had an effect",
    );
    const committed = await deployment.broker.committedOffsets(
      deployment.names.group,
      deployment.names.topic,
    );
    const total = [...committed.values()].reduce((sum, offset) => sum + offset, 0n);
    expectEqual(total, 4n, "sum of committed offsets");
  },
};
