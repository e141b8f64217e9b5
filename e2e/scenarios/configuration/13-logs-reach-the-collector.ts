import { expect } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 13,
  name: "logs-reach-the-collector",
  title: "Whatever the consumer logs reaches the collector as JSON with the name of its pod.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const name = await deployment.readyPod();
    const [incident] = await deployment.publish(1);
    await deployment.verify();
    step("wait for the line of the action");
    const collected = await deployment.until(
      "the collector has the line of the action",
      async () => {
        const events = await deployment.collector.control.events({ host: name });
        return events.find(({ event }) => JSON.stringify(event).includes(incident?.id ?? "?"));
      },
    );
    const line: unknown =
      typeof collected.event === "string" ? JSON.parse(collected.event) : collected.event;
    expect(typeof line === "object" && line !== null, `not a JSON line: ${String(line)}`);
    expect(
      collected.source?.includes("/app/logs/") === true,
      `the source is not in the log directory: ${collected.source}`,
    );
    if (deployment.target.cluster === null) {
      step("check that only this host reaches the pod");
      const lines = await deployment.collector.control.events({ host: name });
      const listening = lines.find(({ event }) =>
        JSON.stringify(event).includes("health.listening"),
      );
      expect(
        JSON.stringify(listening?.event).includes("127.0.0.1"),
        `the pod listens beyond loopback: ${JSON.stringify(listening?.event)}`,
      );
    }
    step("delete the pod, whose last lines must arrive too");
    await deployment.target.deletePod(name);
    await deployment.gone(name);
    const all = await deployment.collector.control.events({ host: name });
    expect(
      all.some(({ event }) => JSON.stringify(event).includes("process.ended")),
      "the last line of the consumer did not reach the collector",
    );
  },
};
