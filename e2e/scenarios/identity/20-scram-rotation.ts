import { NAMES } from "#fixtures/configurations.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { isReady, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** The recovery time that operators are promised. It is the same with every column of durations. */
const RECOVERY_MS_MAX = 30_000;

export const scenario: Scenario = {
  number: 20,
  name: "scram-rotation",
  title:
    "After the SCRAM password is rotated at the broker and then in CKMS, the consumer recovers without a restart.",
  needs: ["broker-users", "broker-connections"],
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ configure: longerActionDeadline(durations) });
    const name = await deployment.readyPod();
    await deployment.publish(4);
    await deployment.allCommitted();
    step(
      "change the password at the broker and cut every connection, while CKMS has the old password",
    );
    const password = deployment.freshSecret("rotated SCRAM password");
    await deployment.broker.setPassword(deployment.names.username, password);
    const cutMs = Date.now();
    await deployment.broker.restart();
    await deployment.publish(4);
    await deployment.until("CKMS is asked again twice, once for each refusal", async () => {
      const asked = (await deployment.ckms.control.requests()).filter(({ atMs }) => atMs >= cutMs);
      return asked.length >= 2;
    });
    if (deployment.broker.abilities.has("broker-requests")) {
      const refused = (await deployment.broker.clientActivity()).filter(
        ({ what, atMs }) => what === "authentication-failed" && atMs >= cutMs,
      );
      expectFault(refused.length > 0, "the broker refused nobody");
    }
    expectEqual((await deployment.effects()).length, 4, "effects while locked out");

    step("put the password into CKMS");
    const rotatedMs = Date.now();
    await deployment.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, password);
    await deployment.allCommitted(RECOVERY_MS_MAX);
    step(`recovered after ${Date.now() - rotatedMs} ms`);
    await deployment.until("the pod is ready again", () => {
      const pod = deployment.target.lastSeen(name);
      return pod !== undefined && isReady(pod);
    });
    await deployment.publish(2);
    await deployment.verify();
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
    expectEqual((await deployment.effects()).length, 10, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
  },
};
