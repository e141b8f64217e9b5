import { expectNoContact } from "#e2e/deployment/steps/broker-contact.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 2,
  name: "certificates-late",
  title:
    "While its certificates are missing, a pod does not touch the network; once it has them, it becomes ready.",
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ certificateDelaySeconds: durations.certificatesLateSeconds });
    step("wait until app_start waits for certificates");
    const pod = await deployment.startedPod();
    await deployment.until("app_start says that it waits", async () =>
      (await deployment.target.logs(pod, "app")).includes("waiting up to"),
    );
    expectEqual(await deployment.readiness(pod), null, "an answer of the health port");
    await expectNoContact(deployment, "while there is no certificate");
    step("wait for the certificate");
    const registered = await deployment.until("the sidecar gets a certificate", () =>
      deployment.athenz.zts.events().find(({ type }) => type === "registered"),
    );
    const startedMs = deployment.target
      .history()
      .find((event) => event.name === "started" && event.container === "app")?.atMs;
    expectFault(
      startedMs !== undefined && registered.atMs - startedMs > 1000,
      "the certificate was not late: the app was not started long before it was issued",
    );
    step("wait for the pod");
    const [ready] = await deployment.ready();
    if (deployment.broker.abilities.has("broker-connections")) {
      const activity = await deployment.broker.clientActivity();
      const touched = activity.filter(({ atMs }) => atMs < registered.atMs);
      expectEqual(touched.length, 0, "connections to the broker before the certificate");
    }
    const asked = (await deployment.ckms.control.requests()).filter(
      ({ atMs }) => atMs < registered.atMs,
    );
    expectEqual(asked.length, 0, "requests to CKMS before the certificate");
    const readyMs = deployment.target.history().find(({ name }) => name === "ready")?.atMs;
    expect(readyMs !== undefined, "nobody saw the pod become ready");
    step(`the pod was ready ${readyMs - registered.atMs} ms after its certificate`);
    expectEqual(ready === undefined ? -1 : restarts(ready), 0, "restarts");
    await deployment.publish(1);
    await deployment.verify();
  },
};
