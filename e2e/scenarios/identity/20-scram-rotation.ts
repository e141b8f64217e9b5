import { NAMES } from "#fixtures/configurations.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { patientActions } from "#e2e/deployment/patient-actions.ts";
import { isReady, restarts } from "#e2e/deployment/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** In either column: what an operator is promised. */
const RECOVERY_MS_MAX = 30_000;

export const scramRotation: Scenario = {
  number: 20,
  name: "scram-rotation",
  title: "The SCRAM password rotates at the broker, then in CKMS: recovered without a restart.",
  needs: ["broker-users", "broker-connections"],
  run: async ({ stage: open, step, durations }) => {
    const stage = await open({ configure: patientActions(durations) });
    const name = await stage.readyPod();
    await stage.publish(4);
    await stage.settled();
    step("change the password at the broker and cut every connection; CKMS has the old one");
    const password = stage.freshSecret("rotated SCRAM password");
    await stage.broker.setPassword(stage.names.username, password);
    const cutMs = Date.now();
    await stage.broker.restart();
    await stage.publish(4);
    await stage.until("CKMS is asked again twice, once for each refusal", async () => {
      const asked = (await stage.ckms.control.requests()).filter(({ atMs }) => atMs >= cutMs);
      return asked.length >= 2;
    });
    if (stage.broker.abilities.has("broker-requests")) {
      const refused = (await stage.broker.clientActivity()).filter(
        ({ what, atMs }) => what === "authentication-failed" && atMs >= cutMs,
      );
      expectFault(refused.length > 0, "the broker refused nobody");
    }
    expectEqual((await stage.effects()).length, 4, "effects while locked out");

    step("put the password into CKMS");
    const rotatedMs = Date.now();
    await stage.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, password);
    await stage.settled(RECOVERY_MS_MAX);
    step(`recovered after ${Date.now() - rotatedMs} ms`);
    await stage.until("the pod is ready again", () => {
      const pod = stage.target.lastSeen(name);
      return pod !== undefined && isReady(pod);
    });
    await stage.publish(2);
    await stage.judge();
    const pod = stage.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
    expectEqual((await stage.effects()).length, 10, "effects");
    expectEqual((await stage.deadLetters()).length, 0, "dead letters");
  },
};
