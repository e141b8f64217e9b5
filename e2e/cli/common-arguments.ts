import { BROKER_OPTIONS, brokerArguments } from "./broker-arguments.ts";
import type { BrokerValues } from "./broker-arguments.ts";
import type {
  KindArguments,
  KubernetesArguments,
  CommonArguments,
} from "#e2e/base/run-arguments.ts";
import { UsageError } from "#e2e/errors.ts";
import { filled, oneOf, whole } from "./option-values.ts";

export const COMMON_OPTIONS = {
  target: { type: "string" },
  broker: { type: "string" },
  keep: { type: "string" },
  artifacts: { type: "string" },
  junit: { type: "string" },
  jobs: { type: "string" },
  cluster: { type: "string" },
  engine: { type: "string" },
  "node-image": { type: "string" },
  "base-image": { type: "string" },
  image: { type: "string" },
  context: { type: "string" },
  "simulators-image": { type: "string" },
  ...BROKER_OPTIONS,
} as const;

export type CommonValues = BrokerValues & {
  readonly [Name in Exclude<keyof typeof COMMON_OPTIONS, keyof BrokerValues>]?: string | undefined;
};

/** The targets that accept each option. */
const TARGET_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  cluster: ["kind"],
  engine: ["kind"],
  "node-image": ["kind"],
  "base-image": ["kind"],
  image: ["kind", "kubernetes"],
  context: ["kubernetes"],
  "simulators-image": ["kubernetes"],
};

export function commonArguments(
  values: CommonValues,
  env: Readonly<Record<string, string | undefined>>,
): CommonArguments {
  const target = oneOf("target", values.target, ["local", "kind", "kubernetes"]);
  refuseOfOtherTarget(target, values);
  return {
    target,
    kind: kindArguments(values),
    kubernetes: target === "kubernetes" ? kubernetesArguments(values) : null,
    broker: brokerArguments(values),
    keep: oneOf("keep", values.keep, ["on-failure", "always", "never"]),
    artifacts: filled("artifacts", values.artifacts) ?? (env.SD_ARTIFACTS_DIR || "artifacts"),
    junit: filled("junit", values.junit) ?? null,
    jobs: values.jobs === undefined ? null : whole("jobs", values.jobs, 1, 64),
  };
}

function refuseOfOtherTarget(target: CommonArguments["target"], values: CommonValues): void {
  for (const [option, targets] of Object.entries(TARGET_OPTIONS)) {
    if (!Object.hasOwn(values, option) || targets.includes(target)) continue;
    const wanted = targets.join(" or ");
    throw new UsageError(`--${option} is for --target ${wanted}, and the target is ${target}`);
  }
}

function kubernetesArguments(values: CommonValues): KubernetesArguments {
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

function kindArguments(values: CommonValues): KindArguments {
  const { engine } = values;
  return {
    cluster: clusterName(values.cluster),
    engine: engine === undefined ? null : oneOf("engine", engine, ["docker", "podman"]),
    nodeImage: filled("node-image", values["node-image"]) ?? null,
    baseImage: filled("base-image", values["base-image"]) ?? null,
    image: filled("image", values.image) ?? null,
  };
}

/** Returns the name of a cluster. Its nodes are named after it, so it must be valid as a part of a host name. */
function clusterName(value: string | undefined): string | null {
  const name = filled("cluster", value) ?? null;
  if (name === null || /^[a-z0-9][a-z0-9.-]{0,48}$/.test(name)) return name;
  throw new UsageError(
    `--cluster must be at most 49 lower-case letters, digits, - and ., beginning with a letter or digit, got ${name}`,
  );
}
