import type { V1Namespace } from "@kubernetes/client-node";
import type { OmegaObject } from "./manifests/objects.ts";

/** The commands of `k8s-ci app` that the deployment guide names. */
export const KDNC_COMMANDS = ["init-kdnc", "deploy-kdnc"] as const;

export type KdncCommand = (typeof KDNC_COMMANDS)[number];

type AppliedObject =
  | OmegaObject
  | (V1Namespace & { apiVersion: string; kind: "Namespace"; metadata: { name: string } });

/** What a deployment only uses: it exists before the first one, and outlives each. */
const LASTING: ReadonlySet<OmegaObject["kind"]> = new Set([
  "PersistentVolumeClaim",
  "ServiceAccount",
]);

/**
 * Of the objects of a render, those that the command applies, in their order: `init-kdnc` the namespace and what lasts, `deploy-kdnc`
 * the rest. Where the line runs is our reading (DEVIATIONS.md).
 */
export function objectsOf(
  command: KdncCommand,
  rendered: readonly OmegaObject[],
): readonly AppliedObject[] {
  if (command === "deploy-kdnc") return rendered.filter(({ kind }) => !LASTING.has(kind));
  const names = new Set(rendered.map(({ metadata }) => metadata.namespace));
  return [
    ...[...names].map((name): AppliedObject => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name },
    })),
    ...rendered.filter(({ kind }) => LASTING.has(kind)),
  ];
}
