import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { Omega } from "#simulator/omega/document/schema.ts";

/** Returns POD_NAME and POD_UID, set by the downward API. */
export function podReference(): V1EnvVar[] {
  return [
    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
  ];
}

export function environmentOf(values: Readonly<Record<string, string>>): V1EnvVar[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/**
 * The hardening applies only with a uid of ours: a root file system is read-only where every
 * written path is a volume.
 */
export function hardening(omega: Omega): Pick<V1Container, "securityContext"> {
  if (omega.securityContext === undefined) return {};
  return {
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
}
