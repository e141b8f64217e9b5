import { parseArgs } from "node:util";
import { messageOf } from "#consumer/errors.ts";
import { BROKER_OPTIONS, BROKER_USAGE, brokerArguments } from "./broker-arguments.ts";
import type { BrokerArguments } from "./broker-arguments.ts";
import { UsageError } from "./errors.ts";
import { filled, oneOf, whole } from "./option-values.ts";

type Keep = "on-failure" | "always" | "never";

export interface RunArguments {
  readonly target: "local" | "kind" | "kubernetes";
  /** Of the target kind; what is null is left to it. */
  readonly kind: KindArguments;
  /** Of the target kubernetes; null with another one. */
  readonly kubernetes: KubernetesArguments | null;
  readonly broker: BrokerArguments;
  /** Numbers or names, as given; empty means all. */
  readonly scenarios: readonly string[];
  /** 32-bit unsigned. */
  readonly seed: number;
  /** What stays of the temporary directories of the pods. */
  readonly keep: Keep;
  /** Directory that receives one directory per run. */
  readonly artifacts: string;
  /** A copy of the JUnit report, or null. */
  readonly junit: string | null;
  /** Scenarios at the same time; null leaves it to the machine. */
  readonly jobs: number | null;
  /** Production durations instead of short ones. */
  readonly realTime: boolean;
  /** Artifacts of an earlier run whose pods must have lived the same, or null. */
  readonly compare: string | null;
}

export type Invocation =
  | { readonly command: "run"; readonly run: RunArguments }
  | { readonly command: "compare"; readonly runs: readonly [string, string] }
  | { readonly command: "doctor" | "list" | "clean" | "help" };

export interface KindArguments {
  /** Name of the cluster. */
  readonly cluster: string | null;
  readonly engine: "docker" | "podman" | null;
  readonly nodeImage: string | null;
  /** What the images are built on. */
  readonly baseImage: string | null;
  /** Of the consumer, built earlier. */
  readonly image: string | null;
}

/** A cluster that is there, and images that its nodes have or can pull. */
export interface KubernetesArguments {
  /** Of the kubeconfig, as kubectl finds it. */
  readonly context: string;
  /** Of the consumer. */
  readonly image: string;
  readonly simulatorsImage: string;
}

const LATER = {
  command: ["replay", "chaos"],
} as const;

export const USAGE = `Usage: npm run e2e -- [COMMAND] [options]

Commands
  run (default)   run the scenarios
  list            print number, name and title of every scenario
  compare DIR DIR whether the pods of two runs lived the same, by the artifacts of both
  doctor          check this machine; each check prints its fix
  clean           remove the directories of pods and the clusters of kind that ended runs left, of
                  every checkout on this machine

Options of run
  --scenario N|NAME       only these (repeatable)
  --target local|kind|kubernetes
                          where the pods run: processes of this host, a cluster of kind on its Docker
                          or Podman, or any cluster that is there (default local)
  --broker embedded|kafka|redpanda|external
                          which broker they read (default embedded: no Docker needed)
  --seed N                0 to 4294967295 (default: a random one, printed)
  --jobs N                scenarios at the same time (default: by the number of processors)
  --keep on-failure|always|never
                          directories of the pods that stay (default on-failure)
  --artifacts DIR         receives one directory per run (default $SD_ARTIFACTS_DIR, else ./artifacts)
  --junit FILE            a copy of the JUnit report
  --real-time             production durations instead of short ones
  --compare DIR           the artifacts of an earlier run, of whatever target: a scenario whose pods
                          lived otherwise than there fails the run

Options of --target kind
  --cluster NAME          used when it is there, else made; the last run that uses it deletes one that a
                          run made, unless --keep says otherwise (default: one of the run's own)
  --node-image NAME       of a cluster that is made (default: that of kind)
  --engine docker|podman  default: the first that answers
  --base-image NAME       what the images are built on (default node:24-bookworm-slim)
  --image NAME            an image of the consumer that was built earlier (default: build it)

Options of --target kubernetes, all of them needed
  --context NAME          of the kubeconfig, as kubectl finds it
  --image NAME            of the consumer, and
  --simulators-image NAME of the simulators, where the nodes of the cluster find them

${BROKER_USAGE}
Exit codes: 0 passed, 1 an expectation broke, 2 usage, 3 preflight, 4 infrastructure, a fault that
never fired, or nothing was run, 130 interrupted.
`;

/** Throws UsageError that names option, rule and value. */
export function parseInvocation(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  randomSeed: () => number,
): Invocation {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { command: "help" };
  const [command = "run", ...rest] = positionals;
  refuseLater("command", "", command);
  if (command === "compare") return { command, runs: comparedRuns(rest, values) };
  if (rest.length > 0) {
    throw new UsageError(`one command at most, got also: ${rest.join(" ")}`);
  }
  if (command === "help") return { command };
  if (command === "doctor" || command === "list" || command === "clean") {
    const extra = Object.keys(values);
    if (extra.length > 0) throw new UsageError(`${command} takes no options, got --${extra[0]}`);
    return { command };
  }
  if (command !== "run") {
    throw new UsageError(`unknown command ${command}; known: run, compare, list, doctor, clean`);
  }
  return { command, run: runArguments(values, env, randomSeed) };
}

/** The targets that take them. */
const TARGET_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  cluster: ["kind"],
  engine: ["kind"],
  "node-image": ["kind"],
  "base-image": ["kind"],
  image: ["kind", "kubernetes"],
  context: ["kubernetes"],
  "simulators-image": ["kubernetes"],
};

type Values = ReturnType<typeof parse>["values"];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      strict: true,
      options: {
        target: { type: "string" },
        broker: { type: "string" },
        scenario: { type: "string", multiple: true },
        seed: { type: "string" },
        keep: { type: "string" },
        artifacts: { type: "string" },
        junit: { type: "string" },
        jobs: { type: "string" },
        "real-time": { type: "boolean" },
        compare: { type: "string" },
        cluster: { type: "string" },
        engine: { type: "string" },
        "node-image": { type: "string" },
        "base-image": { type: "string" },
        image: { type: "string" },
        context: { type: "string" },
        "simulators-image": { type: "string" },
        ...BROKER_OPTIONS,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

function runArguments(
  values: Values,
  env: Readonly<Record<string, string | undefined>>,
  randomSeed: () => number,
): RunArguments {
  const target = oneOf("target", values.target, ["local", "kind", "kubernetes"]);
  refuseOfOtherTarget(target, values);
  return {
    target,
    kind: kindArguments(values),
    kubernetes: target === "kubernetes" ? kubernetesArguments(values) : null,
    broker: brokerArguments(values),
    scenarios: (values.scenario ?? []).map((text) => filled("scenario", text)),
    seed: values.seed === undefined ? randomSeed() : whole("seed", values.seed, 0, 2 ** 32 - 1),
    keep: oneOf("keep", values.keep, ["on-failure", "always", "never"]),
    artifacts: filled("artifacts", values.artifacts) ?? (env.SD_ARTIFACTS_DIR || "artifacts"),
    junit: filled("junit", values.junit) ?? null,
    jobs: values.jobs === undefined ? null : whole("jobs", values.jobs, 1, 64),
    realTime: values["real-time"] === true,
    compare: filled("compare", values.compare) ?? null,
  };
}

function comparedRuns(directories: readonly string[], values: Values): readonly [string, string] {
  const [option] = Object.keys(values);
  if (option !== undefined) throw new UsageError(`compare takes no options, got --${option}`);
  const [left, right, ...more] = directories;
  if (left === undefined || right === undefined || more.length > 0) {
    throw new UsageError(`compare takes two directories, got ${directories.length}`);
  }
  return [left, right];
}

function refuseOfOtherTarget(target: RunArguments["target"], values: Values): void {
  for (const [option, targets] of Object.entries(TARGET_OPTIONS)) {
    if (!Object.hasOwn(values, option) || targets.includes(target)) continue;
    const wanted = targets.join(" or ");
    throw new UsageError(`--${option} is for --target ${wanted}, and the target is ${target}`);
  }
}

function kubernetesArguments(values: Values): KubernetesArguments {
  const needed = (option: "context" | "image" | "simulators-image"): string => {
    const value = filled(option, values[option]);
    if (value === undefined) throw new UsageError(`--target kubernetes needs --${option}`);
    return value;
  };
  return {
    context: needed("context"),
    image: needed("image"),
    simulatorsImage: needed("simulators-image"),
  };
}

function kindArguments(values: Values): KindArguments {
  const { engine } = values;
  return {
    cluster: clusterName(values.cluster),
    engine: engine === undefined ? null : oneOf("engine", engine, ["docker", "podman"]),
    nodeImage: filled("node-image", values["node-image"]) ?? null,
    baseImage: filled("base-image", values["base-image"]) ?? null,
    image: filled("image", values.image) ?? null,
  };
}

/** Nodes are named after it, and their names are host names. */
function clusterName(value: string | undefined): string | null {
  const name = filled("cluster", value) ?? null;
  if (name === null || /^[a-z0-9][a-z0-9.-]{0,48}$/.test(name)) return name;
  throw new UsageError(
    `--cluster must be at most 49 lower-case letters, digits, - and ., beginning with a letter or digit, got ${name}`,
  );
}

function refuseLater(option: keyof typeof LATER, prefix: string, value: string): void {
  const later: readonly string[] = LATER[option];
  if (later.includes(value)) {
    throw new UsageError(`${prefix}${option} ${value} is not available yet`);
  }
}
