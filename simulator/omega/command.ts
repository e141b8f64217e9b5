import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { Command, OptionValues } from "#simulator/process/command.ts";
import { UsageError, textOption } from "#simulator/process/command.ts";
import { readDeployment } from "./deploy-target.ts";
import { chooseCluster } from "./cluster-choice.ts";
import type { ChoiceOptions, KnownContext } from "./cluster-choice.ts";
import { OMEGA_JOBS } from "./manifests/identities.ts";
import type { OmegaJob } from "./manifests/identities.ts";
import { KDNC_COMMANDS, objectsOf } from "./kdnc.ts";
import type { KdncCommand } from "./kdnc.ts";
import { renderOmega } from "./manifests/render.ts";
import type { Site } from "./manifests/site.ts";

const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The image of the sidecars that the platform would add. `npm run image` builds it. */
const SIDECAR_IMAGE = "localhost/kafka-consumer-kit/simulators:local";
const ZTS_URL = "https://athenz:4443/zts/v1";

/** The exit code when preflight finds an error, which is the same as that of `npm run e2e`. */
const PREFLIGHT_FAILED = 3;

/**
 * `k8s-ci app init-kdnc` and `deploy-kdnc` as we read them (DEVIATIONS.md). The command never falls
 * back to the current context of a kubeconfig, which may be production's.
 */
export const command: Command = {
  name: "omega",
  summary: "renders deploy_target and applies it, as k8s-ci app init-kdnc and deploy-kdnc would",
  options: {
    job: { type: "string" },
    context: { type: "string" },
    "force-context": { type: "string" },
    "dry-run": { type: "boolean" },
    image: { type: "string" },
    "sidecar-image": { type: "string" },
    "zts-url": { type: "string" },
    directory: { type: "string" },
  },
  optionsHelp: {
    job: "component or deploy-production, the jobs of screwdriver.yaml that deploy",
    context:
      "a context of the kubeconfig: the job's own cluster, or one of kind; with --dry-run it only checks",
    "force-context": "the name of --context once more, which allows a cluster that is neither",
    "dry-run": "prints the objects as YAML, and applies nothing",
    image: "the image of the app (default: base of omega.yaml)",
    "sidecar-image": "the image of both sidecars, on a cluster of kind",
    "zts-url": "the URL of ZTS for the sidecars, on a cluster of kind",
    directory: "the repository (default: this one)",
  },
  positionals: [KDNC_COMMANDS.join("|")],
  async start(values, env, positionals) {
    const kdnc = kdncCommandOf(positionals);
    const job = jobOf(values);
    const dryRun = values["dry-run"] === true;
    const context = values.context === undefined ? undefined : textOption(values, "context");
    if (context === undefined && !dryRun) {
      throw new UsageError("--context must name a cluster, or --dry-run print the objects");
    }
    if (context === undefined && values["force-context"] !== undefined) {
      throw new UsageError("--force-context repeats --context, which is not given");
    }
    if (dryRun && isAfterBanner(env)) {
      say(
        "npm printed lines of its own before the objects: to pipe them, " +
          `npm run --silent omega -- ${kdnc} --job ${job} --dry-run`,
      );
    }
    const ended = run(kdnc, job, { context, dryRun, values });
    return { listening: {}, ended, [Symbol.asyncDispose]: async () => {} };
  },
};

/** `npm run` prints the script on the same stream before it runs it, unless --silent is given. */
function isAfterBanner(env: Readonly<Record<string, string | undefined>>): boolean {
  return (
    env["npm_lifecycle_event"] === "omega" &&
    env["npm_config_loglevel"] !== "silent" &&
    !process.stdout.isTTY
  );
}

interface RunOptions {
  readonly context: string | undefined;
  readonly dryRun: boolean;
  readonly values: OptionValues;
}

/** Runs the command and returns the exit code. */
async function run(kdnc: KdncCommand, job: OmegaJob, options: RunOptions): Promise<number> {
  const { context, dryRun, values } = options;
  try {
    const repository = textOption(values, "directory", REPOSITORY);
    if (!(await passesPreflight(repository, job))) return PREFLIGHT_FAILED;
    const { ignored, ...deployment } = await readDeployment(repository, job);
    if (ignored !== undefined) say(ignored);
    // The client is loaded only here: a caller that only wants to see the objects does not wait for
    // it.
    const contexts = context === undefined ? undefined : await import("./context.ts");
    const config = context === undefined ? undefined : contexts?.configOf(context);
    const isKind =
      config !== undefined &&
      contexts !== undefined &&
      chosen(contexts.contextsOf(config), { ...deployment, context, values }) === "kind";
    const rendered = renderOmega({
      ...deployment,
      image: textOption(values, "image", deployment.omega.base),
      site: siteOf(values, isKind),
    });
    const objects = objectsOf(kdnc, rendered);
    if (config !== undefined) await contexts?.applyTo(config, objects, { dryRun, say });
    // The objects are printed last: objects that the API server refuses go into no pipe.
    if (dryRun) process.stdout.write(yamlOf(objects));
    return 0;
  } catch (error) {
    // The message says what is wrong with which file or object. A stack would add nothing.
    if (!(error instanceof Error) || !EXPLAINED.has(error.name)) throw error;
    say(error.message);
    return 1;
  }
}

async function passesPreflight(repository: string, job: OmegaJob): Promise<boolean> {
  // The module is imported only here: the image of the simulators, which has this command too, has
  // no parser of pipelines.
  const { preflight } = await import("./preflight/repository-preflight.ts");
  const findings = await preflight(repository, job);
  for (const { severity, place, message } of findings) {
    say(`preflight ${severity}, ${place}: ${message}`);
  }
  return findings.every(({ severity }) => severity !== "error");
}

/**
 * Errors are recognized by name, because ApplyError and ContextError are loaded only where they can
 * be thrown.
 */
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

interface Choosing extends Pick<ChoiceOptions, "omega" | "job"> {
  readonly context: string | undefined;
  readonly values: OptionValues;
}

function chosen(known: readonly KnownContext[], { context, values, ...deployment }: Choosing) {
  const at = known.find(({ name }) => name === context);
  if (at === undefined) throw new UsageError(`--context ${context} leads to no cluster`);
  const { "force-context": repeated } = values;
  const forced = repeated === undefined ? undefined : textOption(values, "force-context");
  const cluster = chooseCluster(at, { ...deployment, known, forced });
  say(`context ${at.name} is the cluster ${at.cluster} at ${at.server}`);
  return cluster;
}

/**
 * The simulators run beside the app on kind alone. Elsewhere the platform adds the sidecars that
 * omega.yaml asks for.
 */
function siteOf(values: OptionValues, isKind: boolean): Site {
  if (!isKind) {
    const given = ["sidecar-image", "zts-url"].find((name) => values[name] !== undefined);
    if (given === undefined) return {};
    throw new UsageError(
      `--${given}: only a cluster of kind has simulators beside the app; elsewhere the platform adds the sidecars`,
    );
  }
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
