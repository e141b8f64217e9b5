import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFile } from "node:fs/promises";
import { stringify } from "yaml";
import type { Command, OptionValues } from "../command.ts";
import { UsageError, textOption } from "../command.ts";
import { readDeployTarget } from "./deploy-target.ts";
import { DEPLOYMENTS, OMEGA_JOBS } from "./identities.ts";
import type { OmegaJob } from "./identities.ts";
import { KDNC_COMMANDS, objectsOf } from "./kdnc.ts";
import type { KdncCommand } from "./kdnc.ts";
import { renderOmega } from "./render.ts";
import type { Site } from "./site.ts";

const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the platform would put beside the app; the image is the one that `npm run image` builds. */
const SIDECAR_IMAGE = "localhost/kafka-consumer-kit/simulators:local";
const ZTS_URL = "https://athenz:4443/zts/v1";

/**
 * `k8s-ci app init-kdnc` and `deploy-kdnc` as we read them (DEVIATIONS.md). Never falls back to the current context of a
 * kubeconfig: it may be production's.
 */
export const command: Command = {
  name: "omega",
  summary: "renders deploy_target and applies it, as k8s-ci app init-kdnc and deploy-kdnc would",
  options: {
    /** component or deploy-production */
    job: { type: "string" },
    /** Of the kubeconfig. With --dry-run the API server checks the objects and keeps nothing. */
    context: { type: "string" },
    /** Prints the objects as YAML. */
    "dry-run": { type: "boolean" },
    /** Of the app; default: `base` of omega.yaml. */
    image: { type: "string" },
    /** Of both sidecars. */
    "sidecar-image": { type: "string" },
    "zts-url": { type: "string" },
    /** The repository; default: this one. */
    directory: { type: "string" },
  },
  positionals: [KDNC_COMMANDS.join("|")],
  async start(values, _env, positionals) {
    const kdnc = kdncCommandOf(positionals);
    const job = jobOf(values);
    const dryRun = values["dry-run"] === true;
    const context = values.context === undefined ? undefined : textOption(values, "context");
    if (context === undefined && !dryRun) {
      throw new UsageError("--context must name a cluster, or --dry-run print the objects");
    }
    const ended = run(kdnc, job, { context, dryRun, values });
    return { listening: {}, ended, [Symbol.asyncDispose]: async () => {} };
  },
};

interface RunOptions {
  readonly context: string | undefined;
  readonly dryRun: boolean;
  readonly values: OptionValues;
}

/** Gives the exit code. */
async function run(
  kdnc: KdncCommand,
  job: OmegaJob,
  { context, dryRun, values }: RunOptions,
): Promise<number> {
  try {
    const objects = objectsOf(kdnc, await render(job, values));
    if (dryRun) process.stdout.write(yamlOf(objects));
    if (context === undefined) return 0;
    // Only here: whoever only wants to see the objects does not wait for the client to load.
    const { applyToContext } = await import("./context.ts");
    await applyToContext(context, objects, { dryRun, say });
    return 0;
  } catch (error) {
    // What is wrong with a file or an object says where; a stack would add nothing.
    if (!(error instanceof Error) || !EXPLAINED.has(error.name)) throw error;
    say(error.message);
    return 1;
  }
}

/** By name: ApplyError and ContextError are loaded only where they can be thrown. */
const EXPLAINED: ReadonlySet<string> = new Set(["OmegaError", "ApplyError", "ContextError"]);

function say(line: string): void {
  process.stderr.write(`omega: ${line}\n`);
}

function kdncCommandOf([name, ...rest]: readonly string[]): KdncCommand {
  const known = KDNC_COMMANDS.find((candidate) => candidate === name);
  if (known === undefined || rest.length > 0) {
    throw new UsageError(
      `one of ${KDNC_COMMANDS.join(", ")} is wanted, got ${[name, ...rest].join(" ")}`,
    );
  }
  return known;
}

function jobOf(values: OptionValues): OmegaJob {
  const job = textOption(values, "job");
  const known = OMEGA_JOBS.find((candidate) => candidate === job);
  if (known === undefined) {
    throw new UsageError(`--job must be one of ${OMEGA_JOBS.join(", ")}, got ${job}`);
  }
  return known;
}

async function render(job: OmegaJob, values: OptionValues) {
  const repository = textOption(values, "directory", REPOSITORY);
  const target = await readDeployTarget(join(repository, "deploy_target"), job);
  return renderOmega({
    ...target,
    configFiles: await withConfiguration(target.configFiles, repository, job),
    image: textOption(values, "image", target.omega.base),
    site: siteOf(values),
  });
}

/** In the pipeline the copy-config step has run; elsewhere its file is read where it would be copied from. */
async function withConfiguration(
  configFiles: Readonly<Record<string, string>>,
  repository: string,
  job: OmegaJob,
): Promise<Readonly<Record<string, string>>> {
  if (Object.hasOwn(configFiles, "config.yaml")) return configFiles;
  const { configurationFile } = DEPLOYMENTS[job];
  say(
    `deploy_target/omega/config has no config.yaml: ${configurationFile} is taken, as copy-config would`,
  );
  const text = await readFile(join(repository, configurationFile), "utf8");
  return { ...configFiles, "config.yaml": text };
}

function siteOf(values: OptionValues): Site {
  const image = textOption(values, "sidecar-image", SIDECAR_IMAGE);
  return {
    identity: {
      image,
      args: ["athenz-sia"],
      environment: { ZTS_URL: textOption(values, "zts-url", ZTS_URL) },
    },
    splunk: { image, args: ["splunk-forwarder"] },
  };
}

function yamlOf(objects: readonly object[]): string {
  const documents = objects.map((object) =>
    stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }),
  );
  return documents.map((document) => `---\n${document}`).join("");
}
