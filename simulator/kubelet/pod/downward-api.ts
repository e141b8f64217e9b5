import { ClusterError } from "#simulator/kubelet/errors.ts";
import type { PodTemplate } from "#simulator/kubelet/validation/supported-pod.ts";

interface PodFields {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly template: PodTemplate;
}

/** Returns the value of a `fieldRef`. A label or annotation that the pod does not have is empty. */
export function readPodField(pod: PodFields, fieldPath: string): string {
  const { metadata, spec } = pod.template;
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath);
  if (keyed !== null) {
    return (keyed[1] === "labels" ? metadata.labels : metadata.annotations)?.[keyed[2] ?? ""] ?? "";
  }
  const value = new Map([
    ["metadata.name", pod.name],
    ["metadata.namespace", pod.namespace],
    ["metadata.uid", pod.uid],
    ["spec.nodeName", "local"],
    ["spec.serviceAccountName", spec.serviceAccountName],
    ["status.hostIP", "127.0.0.1"],
    ["status.podIP", "127.0.0.1"],
  ]).get(fieldPath);
  if (value === undefined) {
    throw new ClusterError(`fieldRef ${fieldPath} of pod ${pod.name} is not implemented.`);
  }
  return value;
}
