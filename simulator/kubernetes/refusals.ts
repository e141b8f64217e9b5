import type {
  KubernetesObject,
  V1ConfigMap,
  V1Deployment,
  V1ObjectMeta,
  V1PersistentVolumeClaim,
  V1Pod,
} from "@kubernetes/client-node";
import { countOrPercentOf, INT32_MAX, isDnsLabel, isDnsSubdomain, quantityOf } from "./grammar.ts";
import { podRefusals } from "./pod-refusals.ts";
import type { Refusal, RefusalOptions } from "./refusal.ts";

/**
 * Returns what an API server would refuse in an object of a kind that we render. It checks no field
 * that is never rendered, and objects of other kinds pass. It was compared with a real API server
 * (1.34) by a trial of every case of the test beside it.
 */
export function refusalsOf(object: KubernetesObject, options: RefusalOptions = {}): Refusal[] {
  const own = isKind(object, "Deployment")
    ? deploymentRefusals(object, options)
    : isKind(object, "Pod")
      ? podRefusals(object.spec, "spec", options)
      : isKind(object, "ConfigMap")
        ? configMapRefusals(object)
        : isKind(object, "PersistentVolumeClaim")
          ? claimRefusals(object)
          : [];
  return [...metadataRefusals(object.metadata), ...own];
}

/** Returns a line such as `spec.replicas: must be at least 0, got -1`. */
export function refusalText({ path, rule, value }: Refusal): string {
  return `${path}: ${rule}, got ${typeof value === "string" ? value : (JSON.stringify(value) ?? String(value))}`;
}

interface Kinds {
  readonly ConfigMap: V1ConfigMap;
  readonly Deployment: V1Deployment;
  readonly PersistentVolumeClaim: V1PersistentVolumeClaim;
  readonly Pod: V1Pod;
}

function isKind<Kind extends keyof Kinds>(
  object: KubernetesObject,
  kind: Kind,
): object is Kinds[Kind] {
  return object.kind === kind;
}

function metadataRefusals(metadata: V1ObjectMeta | undefined): Refusal[] {
  const found: Refusal[] = [];
  const name = metadata?.name;
  if (name !== undefined && !isDnsSubdomain(name)) {
    found.push({ path: "metadata.name", rule: "must be a DNS subdomain", value: name });
  }
  const namespace = metadata?.namespace;
  if (namespace !== undefined && !isDnsLabel(namespace)) {
    found.push({ path: "metadata.namespace", rule: "must be a DNS label", value: namespace });
  }
  for (const [key, value] of Object.entries(metadata?.labels ?? {})) {
    if (!/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(value)) {
      found.push({ path: `metadata.labels[${key}]`, rule: "must be a label value", value });
    }
  }
  return found;
}

function deploymentRefusals({ spec }: V1Deployment, options: RefusalOptions): Refusal[] {
  const { replicas, progressDeadlineSeconds, strategy, template } = spec ?? {};
  const found: Refusal[] = [];
  if (replicas !== undefined && !(isInt32(replicas) && replicas >= 0)) {
    found.push({
      path: "spec.replicas",
      rule: "must be a whole number of at least 0",
      value: replicas,
    });
  }
  if (
    progressDeadlineSeconds !== undefined &&
    !(isInt32(progressDeadlineSeconds) && progressDeadlineSeconds > (spec?.minReadySeconds ?? 0))
  ) {
    found.push({
      path: "spec.progressDeadlineSeconds",
      rule: "must be a whole number above minReadySeconds",
      value: progressDeadlineSeconds,
    });
  }
  return [
    ...found,
    ...rolloutRefusals(strategy?.rollingUpdate, "spec.strategy.rollingUpdate"),
    ...podRefusals(template?.spec, "spec.template.spec", options),
  ];
}

type RollingUpdate = NonNullable<NonNullable<V1Deployment["spec"]>["strategy"]>["rollingUpdate"];

const COUNT_OR_PERCENT = "must be a whole number of at least 0 or a percentage such as 25%";

function rolloutRefusals(rollingUpdate: RollingUpdate, path: string): Refusal[] {
  const { maxSurge = "25%", maxUnavailable = "25%" } = rollingUpdate ?? {};
  const found: Refusal[] = [];
  const surge = countOrPercentOf(maxSurge);
  const unavailable = countOrPercentOf(maxUnavailable);
  if (surge === undefined) {
    found.push({ path: `${path}.maxSurge`, rule: COUNT_OR_PERCENT, value: maxSurge });
  }
  if (unavailable === undefined) {
    found.push({ path: `${path}.maxUnavailable`, rule: COUNT_OR_PERCENT, value: maxUnavailable });
  } else if (unavailable.percent && unavailable.value > 100) {
    found.push({
      path: `${path}.maxUnavailable`,
      rule: "must be at most 100%",
      value: maxUnavailable,
    });
  } else if (unavailable.value === 0 && surge?.value === 0) {
    const rule = "must not be 0 when maxSurge is 0, since no pod could ever be replaced";
    found.push({ path: `${path}.maxUnavailable`, rule, value: maxUnavailable });
  }
  return found;
}

const CONFIG_MAP_BYTES_MAX = 1_048_576;

function configMapRefusals({ data, binaryData }: V1ConfigMap): Refusal[] {
  const found = [...Object.keys(data ?? {}), ...Object.keys(binaryData ?? {})]
    .filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === "." || key.startsWith(".."))
    .map((key): Refusal => ({
      path: `data[${key}]`,
      rule: "must be a key of letters, digits, -, _ and .",
      value: key,
    }));
  const bytes = [...Object.values(data ?? {}), ...Object.values(binaryData ?? {})].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    0,
  );
  if (bytes > CONFIG_MAP_BYTES_MAX) {
    const rule = `must hold at most ${CONFIG_MAP_BYTES_MAX} bytes`;
    found.push({ path: "data", rule, value: bytes });
  }
  return found;
}

function claimRefusals({ spec }: V1PersistentVolumeClaim): Refusal[] {
  const found: Refusal[] = [];
  const modes = spec?.accessModes ?? [];
  if (modes.length === 0) {
    found.push({ path: "spec.accessModes", rule: "must name a mode", value: modes });
  }
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    const rule = "must not have others beside ReadWriteOncePod";
    found.push({ path: "spec.accessModes", rule, value: modes });
  }
  const { storageClassName } = spec ?? {};
  if (
    storageClassName !== undefined &&
    storageClassName !== "" &&
    !isDnsSubdomain(storageClassName)
  ) {
    const rule = "must be a DNS subdomain";
    found.push({ path: "spec.storageClassName", rule, value: storageClassName });
  }
  const path = "spec.resources.requests[storage]";
  const storage = spec?.resources?.requests?.["storage"];
  const quantity = storage === undefined ? undefined : quantityOf(storage);
  if (quantity === undefined || quantity <= 0n) {
    found.push({ path, rule: "must be a quantity above 0 such as 1Gi", value: storage });
  }
  return found;
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= INT32_MAX;
}
