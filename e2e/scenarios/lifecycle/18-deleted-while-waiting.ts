import { expectNoContact } from "#e2e/deployment/steps/broker-contact.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 18,
  name: "deleted-while-waiting",
  title:
    "A pod that is deleted while it waits for certificates ends at once and leaves no pid file.",
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({ certificatesWithheld: true });
    const name = await deployment.startedPod();
    await deployment.until("app_start says that it waits", async () =>
      (await deployment.target.logs(name, "app")).includes("waiting up to"),
    );
    const listed = await deployment.target.exec(name, "app", ["ls", "/var/run/kafka_consumer"]);
    expectFault(
      listed.exitCode === 0 && !listed.stdout.includes("kafka_consumer.pid"),
      `there is a pid file already: ${listed.stdout}${listed.stderr}`,
    );
    step("delete the pod");
    const startMs = Date.now();
    await deployment.target.deletePod(name);
    const last = await deployment.gone(name);
    const exit = deployment.target
      .history()
      .find((event) => event.pod === name && event.container === "app" && event.name === "exit");
    expect(exit !== undefined, "the consumer's container did not end");
    const tookMs = exit.atMs - startMs;
    step(`ended after ${tookMs} ms`);
    // An end far before the grace period shows that no process had to be killed.
    const graceMs = (durations.pod.terminationGracePeriodSeconds ?? 90) * 1000;
    expect(tookMs < graceMs / 4, `it took ${tookMs} ms to end`);
    expectEqual(lastTermination(last)?.exitCode, 0, "exit code of app_start");
    expect(
      deployment.target.events().every(({ reason }) => reason !== "FailedPreStopHook"),
      "the preStop hook failed without a pid file",
    );
    await expectNoContact(deployment, "without certificates");
  },
};
