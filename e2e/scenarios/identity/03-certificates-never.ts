import { expectNoContact } from "#e2e/deployment/steps/broker-contact.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { isReady, lastTermination, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 3,
  name: "certificates-never",
  title:
    "When the certificates never come, app_start gives up at its limit with a clear message and an exit code.",
  timeoutMs: ({ scenarioMsMax, certificateWaitSeconds }) =>
    scenarioMsMax + certificateWaitSeconds * 1000,
  run: async ({ deploy, step, durations }) => {
    const { certificateWaitSeconds, stepMsMax } = durations;
    const deployment = await deploy({
      certificatesWithheld: true,
      ...(durations.pod.certWaitSeconds !== undefined && {
        pod: { certWaitSeconds: certificateWaitSeconds },
      }),
    });
    const name = await deployment.startedPod();
    step(`wait until app_start gives up after ${certificateWaitSeconds} s`);
    const pod = await deployment.until(
      "app_start gives up",
      () => {
        const seen = deployment.target.lastSeen(name);
        return seen !== undefined && restarts(seen) >= 1 && lastTermination(seen) && seen;
      },
      { deadlineMs: stepMsMax + certificateWaitSeconds * 1000 },
    );
    expectFault(
      deployment.athenz.zts.events().some(({ type }) => type === "withheld"),
      "the sidecar never asked for a certificate",
    );
    expectEqual(lastTermination(pod)?.exitCode, 75, "exit code of app_start");
    const exits = deployment.target.history().filter((event) => event.container === "app");
    const startedMs = exits.find((event) => event.name === "started")?.atMs ?? 0;
    const endedMs = exits.find((event) => event.name === "exit")?.atMs ?? 0;
    expect(
      endedMs - startedMs >= certificateWaitSeconds * 1000 * 0.9,
      `app_start gave up after ${endedMs - startedMs} ms, before its limit`,
    );
    const log = await deployment.target.logs(name, "app", { previous: true });
    expect(log.includes("no certificates after"), `no clear message in the log: ${log}`);
    expect(log.includes("service.cert.pem"), `the message does not name the file: ${log}`);
    await deployment.until("the collector has the reason", async () => {
      const events = await deployment.collector.control.events({ host: name });
      return events.some(({ event }) =>
        /app_start\.ended.*no certificates after/s.test(JSON.stringify(event)),
      );
    });
    await expectNoContact(deployment, "without certificates");
    expectEqual((await deployment.ckms.control.requests()).length, 0, "requests to CKMS");
    expect(!isReady(pod), "the pod was ready without certificates");
  },
};
