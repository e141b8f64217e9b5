import type { V1Namespace } from "@kubernetes/client-node";
import type { OmegaObject } from "./manifests/objects.ts";

/** The commands of `k8s-ci app` that the deployment guide names. */
export const KDNC_COMMANDS = ["init-kdnc", "deploy-kdnc"] as const;

export type KdncCommand = (typeof KDNC_COMMANDS)[number];

type AppliedObject =
  | OmegaObject
  | (V1Namespace & { apiVersion: string; kind: "Namespace"; metadata: { name: string } });

/** Objects that a deployment only uses: they exist before the first one and outlive each. */
const LASTING: ReadonlySet<OmegaObject["kind"]> = new Set([
  "PersistentVolumeClaim",
  "ServiceAccount",
]);

/**
 * Returns those of the rendered objects that the command applies, in their order: `init-kdnc`
 * applies the namespace and the lasting objects, `deploy-kdnc` the rest. This division is our
 * reading (DEVIATIONS.md).
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
