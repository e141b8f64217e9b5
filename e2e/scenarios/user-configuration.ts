import { readFile } from "node:fs/promises";
import { loadConfig } from "#consumer/config/load-config.ts";
import { hasCode } from "#consumer/errors.ts";
import type { ConfigurationArguments } from "#e2e/base/run-arguments.ts";
import { ConfigurationPlay } from "#e2e/deployment/configuration/configuration-play.ts";
import { readRecords } from "#e2e/deployment/configuration/read-records.ts";
import type { PlayedRecord } from "#e2e/deployment/configuration/shift-incidents.ts";
import { expectEqual, UsageError } from "#e2e/errors.ts";
import type { Effect } from "#simulator/action-endpoint/ledger.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

/** The largest number of records that are played. `rules test` predicts any number. */
const RECORDS_MAX = 1000;
/** The longest time that a record may take, as a multiple of the time between two commits. */
const COMMITS_PER_RECORD = 10;

/**
 * Returns the scenario that plays a configuration of the user. It is in no list, and its number is 0. Throws UsageError
 * with every fault of the configuration, or with that of the incidents.
 */
export async function userScenario(chosen: ConfigurationArguments): Promise<Scenario> {
  const { text, records } = await readChosen(chosen);
  const { file, job } = chosen;
  return {
    number: 0,
    name: "your-configuration",
    title: `The configuration ${file}, deployed as ${job}, does exactly what rules test predicts.`,
    timeoutMs: ({ scenarioMsMax, consumer }) =>
      scenarioMsMax + records.length * COMMITS_PER_RECORD * consumer.commitIntervalMs,
    run: async ({ deploy, step }) => {
      const deployment = await deploy({ configuration: { text, job } });
      const pod = await deployment.readyPod();
      step(`play ${counted(records.length, "record")} of ${chosen.incidents.join(", ")}`);
      const play = new ConfigurationPlay(deployment, job, text);
      await play.publish(records);
      await play.verify();
      const effects = await deployment.effects();
      step(`rules test predicts ${play.results}`);
      step(`as predicted: ${counted(effects.length, "action")}${byOrigin(effects)}`);
      for (const reason of play.rejections) step(`warning: rejected: ${reason}`);
      for (const rule of play.unmatchedRules) step(`warning: rule ${rule} matched nothing`);

      step("replace the pod and play everything again: nothing is done a second time");
      await deployment.target.deletePod(pod);
      await deployment.gone(pod);
      await deployment.ready();
      await play.publish(records);
      await play.verify();
      expectEqual((await deployment.effects()).length, effects.length, "actions in the ledger");
    },
  };
}

async function readChosen({ file, incidents }: ConfigurationArguments): Promise<{
  readonly text: string;
  readonly records: readonly PlayedRecord[];
}> {
  try {
    const config = await loadConfig(file);
    const records = await readRecords(incidents, config);
    if (records.length > RECORDS_MAX) {
      const given = `got ${records.length} records`;
      throw new UsageError(`--incidents: the kit plays at most ${RECORDS_MAX}, ${given}`);
    }
    return { text: await readFile(file, "utf8"), records };
  } catch (error) {
    if (!hasCode(error, "bad-configuration") && !hasCode(error, "usage")) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

function byOrigin(effects: readonly Effect[]): string {
  const origins = Map.groupBy(effects, ({ origin }) => origin ?? "commands");
  const lines = [...origins].map(([origin, { length }]) => `${length} to ${origin}`);
  return lines.length === 0 ? "" : ` (${lines.toSorted().join(", ")})`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
