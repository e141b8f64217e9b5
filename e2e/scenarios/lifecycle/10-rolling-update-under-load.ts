import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expectFault } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import { isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 10,
  name: "rolling-update-under-load",
  title:
    "During a rolling update under load old and new pods overlap, no key acts twice, and every key ends.",
  long: true,
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({ replicas: 2, partitions: 4 });
    const old = new Set((await deployment.ready()).map((pod) => podName(pod)));
    step("publish all the time and restart the deployment");
    await using load = startLoad(deployment, { intervalMs: durations.loadIntervalMs, signal });
    await load.reached(5);
    let overlapped = false;
    await deployment.target.restart(deployment.name);
    await deployment.until("every old pod is gone and two new ones are ready", async () => {
      const pods = await deployment.target.pods();
      const fresh = pods.filter((pod) => !old.has(podName(pod)));
      overlapped ||= fresh.some((pod) => isReady(pod)) && fresh.length < pods.length;
      return (
        fresh.length === pods.length &&
        fresh.filter((pod) => isReady(pod) && !isTerminating(pod)).length === 2
      );
    });
    const during = load.published;
    await load.reached(during + 5);
    await load.stop();
    expectFault(overlapped, "old and new pods never overlapped");
    expectFault(during >= 20, `only ${during} incidents were published during the update`);
    step(`verify ${load.published} incidents`);
    await deployment.verify();
    step(`${countDeadActions(await deployment.deadLetters())} of them are in the dead letter`);
  },
};
