import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { startLoad } from "#e2e/deployment/steps/load.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 15,
  name: "certificate-rotation",
  title: "Certificates rotate under load without a restart, and the new certificate is used.",
  needs: ["container-access"],
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({
      mutualTls: true,
      configure: longerActionDeadline(durations),
    });
    const name = await deployment.readyPod();
    await using load = startLoad(deployment, { intervalMs: durations.loadIntervalMs, signal });
    await load.reached(5);
    const refreshed = () =>
      deployment.athenz.zts.events().filter(({ type }) => type === "refreshed");
    step("rotate three times");
    for (let rotation = 1; rotation <= 3; rotation += 1) {
      // Each certificate expires at another time, by which the log tells them apart.
      deployment.athenz.zts.setLifetime(3_600_000 + rotation * 60_000);
      const before = refreshed().length;
      await deployment.target.kill(name, "identity", "SIGHUP");
      await deployment.until(`rotation ${rotation}`, () => refreshed().length > before);
      await deployment.until(
        `the consumer has the certificate of rotation ${rotation}`,
        async () => {
          const log = await deployment.target.logs(name, "app");
          // A sidecar that missed the answer has asked again.
          const issued = refreshed().slice(before);
          return (
            log.includes("identity.renewed") &&
            issued.some(({ notAfterMs }) => log.includes(`"notAfterMs":${notAfterMs}`))
          );
        },
      );
      await load.reached(load.published + 5);
    }
    await load.stop();
    expectFault(refreshed().length >= 3, `only ${refreshed().length} rotations`);
    await deployment.verify();
    const effects = await deployment.effects();
    expect(
      effects.every(({ principal }) => principal === DEPLOYMENTS.component.principal),
      "an action came without the identity of the consumer",
    );
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts of the consumer");
    expectEqual(restarts(pod, "identity"), 0, "restarts of the sidecar");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    const [ready] = await deployment.ready();
    expect(ready !== undefined, "the pod is not ready after the rotations");
  },
};
