import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "#consumer/errors.ts";
import { readDeployment } from "#simulator/omega/deploy-target.ts";
import { classifyFindings, parseAcknowledgements } from "./findings.ts";
import type { Finding, ClassifiedFinding } from "./findings.ts";
import { OMEGA_JOBS } from "#simulator/omega/manifests/identities.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import { findingsOf } from "./preflight.ts";
import { checkPipeline } from "#simulator/screwdriver/check-pipeline.ts";

const REPOSITORY = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/**
 * Checks deploy_target, the configurations and the pipeline before anything is started. A file that
 * cannot be read is a finding too. `repository` is the directory that holds them and defaults to
 * this one. With `job`, only the deployment of that job is checked.
 */
export async function preflight(
  repository = REPOSITORY,
  job?: OmegaJob,
): Promise<ClassifiedFinding[]> {
  const jobs = job === undefined ? OMEGA_JOBS : [job];
  const looks = await Promise.all([
    ...jobs.map((name) => look(name, () => deployment(repository, name))),
    ...(job === undefined ? [look("screwdriver.yaml", () => pipeline(repository))] : []),
  ]);
  const acknowledged = await readFile(
    join(REPOSITORY, "simulator/omega/preflight/acknowledged-findings.yaml"),
    "utf8",
  );
  // The acknowledged findings of a job that could not be read may still exist.
  const read = jobs.filter((name) =>
    looks.some(({ place, error }) => place === name && error === null),
  );
  const findings = [...looks.flatMap((seen) => seen.findings), ...unreadable(looks)];
  return classifyFindings(findings, parseAcknowledgements(acknowledged), read);
}

async function deployment(repository: string, job: OmegaJob): Promise<Finding[]> {
  return findingsOf(await readDeployment(repository, job));
}

async function pipeline(repository: string): Promise<readonly Finding[]> {
  const path = join(repository, "screwdriver.yaml");
  // A checkout without a pipeline is no fault of the deployment.
  if (!existsSync(path)) return [];
  return (await checkPipeline(await readFile(path, "utf8"))).findings;
}

interface Look {
  readonly place: string;
  readonly findings: readonly Finding[];
  /** The message about what could not be read, or null. */
  readonly error: string | null;
}

async function look(place: string, find: () => Promise<readonly Finding[]>): Promise<Look> {
  try {
    return { place, findings: await find(), error: null };
  } catch (error) {
    return { place, findings: [], error: messageOf(error) };
  }
}

/** Jobs share files: the same fault is reported once, with all its places. */
function unreadable(looks: readonly Look[]): Finding[] {
  const faults = Map.groupBy(
    looks.filter(({ error }) => error !== null),
    ({ error }) => String(error),
  );
  return [...faults].map(([message, seen]) => {
    const place = seen.map((one) => one.place).join(", ");
    return { rule: "unreadable", place, subject: place, message };
  });
}
