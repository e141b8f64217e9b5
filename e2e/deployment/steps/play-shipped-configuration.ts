import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "#consumer/config/load-config.ts";
import { DEPLOYMENTS } from "#simulator/omega/manifests/identities.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import { ConfigurationPlay } from "#e2e/deployment/configuration/configuration-play.ts";
import { readRecords } from "#e2e/deployment/configuration/read-records.ts";
import type { DeploymentOptions } from "#e2e/deployment/deployment-options.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { expect, expectEqual } from "#e2e/errors.ts";
import { APP } from "#e2e/targets/pods.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

interface ShippedConfigurationContext {
  readonly deploy: (options: DeploymentOptions) => Promise<TestDeployment>;
  readonly step: (text: string) => void;
}

/** The parts of a rendering that differ between the jobs. */
export interface JobRendering {
  readonly claim: string;
  readonly memoryLimit: string;
}

/** Plays BigPanda's documented incidents on a shipped configuration, deployed as its job deploys it. */
export async function playShippedConfiguration(
  { deploy, step }: ShippedConfigurationContext,
  job: OmegaJob,
  { claim, memoryLimit }: JobRendering,
): Promise<void> {
  const { configurationFile, principal } = DEPLOYMENTS[job];
  const text = await readFile(join(REPOSITORY, configurationFile), "utf8");
  const incidents = join(REPOSITORY, "fixtures/incidents/webhook");
  const records = await readRecords([incidents], parseConfig(text, configurationFile));
  const deployment = await deploy({ configuration: { text, job } });

  step(`wait for the pod of ${job}`);
  const [pod] = await deployment.ready();
  const app = pod?.spec?.containers.find(({ name }) => name === APP);
  expectEqual(deployment.claim, claim, "claim of the history");
  expectEqual(app?.resources?.limits?.["memory"], memoryLimit, "memory limit");
  expectEqual(pod?.metadata?.labels?.["app.kubernetes.io/instance"], job, "job of the pod");

  step(`play ${records.length} incidents of ${configurationFile}`);
  const play = new ConfigurationPlay(deployment, job, text);
  await play.publish(records);
  await play.verify();
  step(`rules test predicts ${play.results}`);
  const effects = await deployment.effects();
  expect(effects.length > 0, `${configurationFile} sent nothing`);
  const unmatched = play.unmatchedRules.join(", ");
  const rejected = play.rejections.join("\n");
  expect(rejected === "", `${configurationFile}: templates that cannot be filled:\n${rejected}`);
  expect(unmatched === "", `${configurationFile}: rules that match no incident: ${unmatched}`);
  step(`verify that all ${effects.length} actions present the identity of ${job}`);
  expect(
    effects.every((effect) => effect.principal === principal),
    `an action does not present ${principal}`,
  );
  const asked = await deployment.ckms.control.requests();
  expect(
    asked.length > 0 && asked.every((request) => request.principal === principal),
    `CKMS was not asked by ${principal} alone`,
  );
}
