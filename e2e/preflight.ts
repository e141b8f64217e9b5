import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDeployTarget } from "#simulator/omega/deploy-target.ts";
import { judge, parseAcknowledgements } from "#simulator/omega/findings.ts";
import type { Finding, JudgedFinding } from "#simulator/omega/findings.ts";
import { OMEGA_JOBS } from "#simulator/omega/identities.ts";
import type { OmegaJob } from "#simulator/omega/identities.ts";
import { findingsOf } from "#simulator/omega/preflight.ts";
import { checkPipeline } from "#simulator/screwdriver/check-pipeline.ts";

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));

/** What copy-config of each job copies to omega/config. */
const CONFIGURATIONS: Record<OmegaJob, string> = {
  component: "config/development-config.yaml",
  "deploy-production": "config/production-config.yaml",
};

/**
 * What is wrong with deploy_target, the configurations and the pipeline before anything is started. What
 * cannot even be read is a finding too. `repository` is the directory that holds them; default: this one.
 */
export async function preflight(repository = REPOSITORY): Promise<JudgedFinding[]> {
  const findings = await Promise.all([
    ...OMEGA_JOBS.map((job) => readable(job, () => deployment(repository, job))),
    readable("screwdriver.yaml", () => pipeline(repository)),
  ]);
  const acknowledged = await readFile(
    join(REPOSITORY, "simulator/omega/acknowledged-findings.yaml"),
    "utf8",
  );
  return judge(findings.flat(), parseAcknowledgements(acknowledged), OMEGA_JOBS);
}

async function deployment(repository: string, job: OmegaJob): Promise<Finding[]> {
  const target = await readDeployTarget(join(repository, "deploy_target"), job);
  const configuration = await readFile(join(repository, CONFIGURATIONS[job]), "utf8");
  return findingsOf({ ...target, configFiles: { "config.yaml": configuration } });
}

async function pipeline(repository: string): Promise<readonly Finding[]> {
  const path = join(repository, "screwdriver.yaml");
  // A checkout without a pipeline is no fault of the deployment.
  if (!existsSync(path)) return [];
  return (await checkPipeline(await readFile(path, "utf8"))).findings;
}

async function readable(
  place: string,
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ rule: "unreadable", place, subject: place, message }];
  }
}
