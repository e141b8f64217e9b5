import { expectNoContact } from "#e2e/deployment/steps/broker-contact.ts";
import { expect, expectFault } from "#e2e/errors.ts";
import { isReady, lastTermination, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 11,
  name: "crash-loop",
  title:
    "A pod with a bad configuration crash-loops with backoff and is never ready; a fixed configuration recovers it.",
  long: true,
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({
      configure: (document) => ({ ...document, kafka: { ...document.kafka, groupIdd: "typo" } }),
    });
    const name = await deployment.startedPod();
    step("wait for three restarts");
    let everReady = false;
    const pod = await deployment.until("three restarts", () => {
      const seen = deployment.target.lastSeen(name);
      everReady ||= seen !== undefined && isReady(seen);
      return seen !== undefined && restarts(seen) >= 3 && seen;
    });
    expectFault(lastTermination(pod)?.exitCode === 78, "the consumer accepted the configuration");
    expect(!everReady, "the pod was ready with a bad configuration");
    const log = await deployment.target.logs(name, "app", { previous: true });
    expect(log.includes("groupIdd"), `the log does not name the wrong key: ${log}`);
    step("wait until the collector has the reason of each exit");
    await deployment.until("a line for every refusal", async () => {
      const events = await deployment.collector.control.events({ host: name });
      const lines = events.map(({ event }) => JSON.stringify(event));
      const refusals = lines.filter((line) => /process\.refused.*groupIdd/s.test(line));
      return refusals.length >= 3;
    });
    await expectNoContact(deployment, "with a bad configuration");
    const moments = deployment.target
      .history()
      .filter((event) => event.pod === name && event.container === "app");
    const starts = moments.filter((event) => event.name === "started").map(({ atMs }) => atMs);
    const exits = moments.filter((event) => event.name === "exit").map(({ atMs }) => atMs);
    const waitsMs = exits
      .slice(0, 3)
      .map((atMs, index) => (starts[index + 1] ?? Number.NaN) - atMs);
    step(`waited ${waitsMs.join(", ")} ms before the restarts`);
    // A start itself takes time on a busy machine, so only the lower bounds are checked.
    const backoffMs = durations.cluster.backoffInitialMs ?? 10_000;
    const [, secondMs = 0, thirdMs = 0] = waitsMs;
    expect(
      secondMs >= backoffMs && thirdMs >= 2 * backoffMs,
      `the waits before the restarts do not grow from ${backoffMs} ms: ${waitsMs.join(", ")} ms`,
    );
    expect(
      deployment.target.events().some(({ reason }) => reason === "BackOff"),
      "no event BackOff",
    );
    step("deploy the fixed configuration");
    await deployment.apply((document) => document);
    // The ConfigMap is shared, so the old pod may recover too. It is replaced nevertheless.
    await deployment.gone(name);
    expect((await deployment.readyPod()) !== name, "the fix did not bring a new pod");
    await deployment.publish(1);
    await deployment.verify();
  },
};
