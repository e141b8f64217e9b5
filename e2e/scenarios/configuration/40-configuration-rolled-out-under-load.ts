import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigurationPlay } from "#e2e/deployment/configuration/configuration-play.ts";
import { createIncident } from "#e2e/deployment/incidents.ts";
import { pause } from "#e2e/base/waiting.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { isReady, isTerminating, podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

const OLD = join(import.meta.dirname, "rolling-old.yaml");
const NEW = join(import.meta.dirname, "rolling-new.yaml");
const RECORDS_AROUND = 5;

export const scenario: Scenario = {
  number: 40,
  name: "configuration-rolled-out-under-load",
  title:
    "While another configuration is rolled out under load, each action is done once, under the old or the new one.",
  long: true,
  run: async ({ deploy, step, durations, random, signal }) => {
    const [oldText, newText] = await Promise.all([readFile(OLD, "utf8"), readFile(NEW, "utf8")]);
    const job = "component";
    const deployment = await deploy({
      replicas: 2,
      partitions: 4,
      configuration: { text: oldText, job },
    });
    const play = new ConfigurationPlay(deployment, job, oldText);
    const publish = async (status: string): Promise<void> => {
      await play.publishOne(anIncident(random, status));
      await pause(durations.loadIntervalMs, signal);
    };
    const old = new Set((await deployment.ready()).map((pod) => podName(pod)));
    step("play incidents under the old configuration");
    for (let count = 0; count < RECORDS_AROUND; count += 1) {
      await publish("critical");
      await publish("old");
      await publish("new");
    }
    await play.verify();

    step("roll out the new configuration while incidents come");
    play.addSide(newText);
    let during = 0;
    const rolledOut = new AbortController();
    const load = (async () => {
      while (!rolledOut.signal.aborted) {
        await publish("critical");
        during += 1;
      }
    })();
    // The error is thrown below. Until then it must not end the process.
    load.catch(() => {});
    try {
      await deployment.applyConfiguration(newText);
      await deployment.until("every old pod is gone and two new ones are ready", async () => {
        const pods = await deployment.target.pods();
        const ready = pods.filter((pod) => isReady(pod) && !isTerminating(pod));
        return pods.every((pod) => !old.has(podName(pod))) && ready.length === 2;
      });
    } finally {
      rolledOut.abort();
      await load;
    }
    expectFault(during >= RECORDS_AROUND, `only ${during} incidents came during the rollout`);
    await deployment.allCommitted();

    step(`${during} incidents came meanwhile; play more under the new configuration alone`);
    play.keepNewestSide();
    for (let count = 0; count < RECORDS_AROUND; count += 1) {
      await publish("critical");
      await publish("old");
      await publish("new");
    }
    await play.verify();
    const origins = (await deployment.effects()).map(({ origin }) => origin);
    const count = (origin: string) => origins.filter((each) => each === origin).length;
    const restarts = 2 * RECORDS_AROUND + during;
    expectEqual(count("https://tickets.example.com"), restarts, "tickets");
    const notes = 2 * RECORDS_AROUND;
    expectEqual(
      count("https://old.example.com") + count("https://new.example.com"),
      restarts + notes,
      "restarts and notes under either configuration",
    );
    expect(count("https://new.example.com") > notes, "the new configuration restarted nothing");
  },
};

function anIncident(random: SeededRandom, status: string) {
  const { id, value } = createIncident(random);
  const text = JSON.stringify({ ...JSON.parse(value), status });
  return { place: id, incident: id, value: new TextEncoder().encode(text) };
}
