import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "#consumer/config/load-config.ts";
import { ConfigurationPlay } from "#e2e/deployment/configuration/configuration-play.ts";
import { readRecords } from "#e2e/deployment/configuration/read-records.ts";
import { killConsumer, readyAgain } from "#e2e/deployment/steps/kill-consumer.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

const CONFIGURATION = join(import.meta.dirname, "several-rules.yaml");
const INCIDENTS = join(import.meta.dirname, "several-incidents.ndjson");

export const scenario: Scenario = {
  number: 39,
  name: "several-rules-and-a-sigkill",
  title:
    "Rules with several actions, commands, mTLS, limits and modes do what rules test predicts, also after a SIGKILL.",
  needs: ["container-access"],
  run: async ({ deploy, step, durations }) => {
    const text = await readFile(CONFIGURATION, "utf8");
    const records = await readRecords([INCIDENTS], parseConfig(text, CONFIGURATION));
    const { orphanWaitMs } = durations;
    const deployment = await deploy({ configuration: { text, job: "component", orphanWaitMs } });
    const play = new ConfigurationPlay(deployment, "component", text);
    const pod = await deployment.readyPod();
    await using held = await deployment.actions.hold("after-effect", {
      match: { path: "/v1/slow" },
      times: 1,
    });

    step(`play ${records.length} records, and kill the consumer while one action is held`);
    for (const record of records) {
      const predictions = await play.publishOne(record);
      if (predictions.some(({ rule }) => rule === "slow")) {
        await held.arrived;
        await killConsumer(deployment, pod);
        expectFault((await held.hits()) === 1, "no action was held");
        await held.release();
        await readyAgain(deployment, pod);
      }
      await deployment.allCommitted();
    }
    await play.verify();
    const { size } = play.predicted;
    const effects = await deployment.effects();
    const origins = new Set(effects.map(({ origin }) => origin ?? "commands"));
    expectEqual(origins.size, 5, "origins in the ledger, commands counted as one");
    expect(
      effects.some(({ principal }) => principal !== null),
      "no action presented the identity",
    );

    step(`play everything again: the ledger keeps its ${size} actions`);
    await play.publish(records);
    await play.verify();
    expectEqual(play.predicted.size, size, "predicted actions after the repetition");
    expectEqual((await deployment.effects()).length, size, "effects after the repetition");
  },
};
