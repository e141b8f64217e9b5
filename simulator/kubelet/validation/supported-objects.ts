import { z } from "zod";
import { count, hasOneKey, metadata, noted, share, strings } from "./supported-fields.ts";
import { podSpec } from "./supported-pod.ts";

/**
 * These are the kinds that the runtime implements and their fields, with Kubernetes' defaults.
 * Everything else is refused.
 */

const selector = z.strictObject({ matchLabels: strings });

const deployment = z
  .strictObject({
    apiVersion: z.literal("apps/v1"),
    kind: z.literal("Deployment"),
    metadata,
    spec: z.strictObject({
      replicas: count.default(1),
      selector,
      template: z.strictObject({
        metadata: z.strictObject({ labels: strings, annotations: strings.optional() }),
        spec: podSpec,
      }),
      strategy: z
        .strictObject({
          type: z.enum(["RollingUpdate", "Recreate"]).default("RollingUpdate"),
          rollingUpdate: z
            .strictObject({ maxSurge: share.default("25%"), maxUnavailable: share.default("25%") })
            .optional(),
        })
        .default({ type: "RollingUpdate" }),
      minReadySeconds: count.default(0),
      progressDeadlineSeconds: noted,
      revisionHistoryLimit: noted,
    }),
  })
  .refine(
    (value) => isSubset(value.spec.selector.matchLabels, value.spec.template.metadata.labels),
    {
      message: "does not match the labels of the template",
      path: ["spec", "selector", "matchLabels"],
    },
  )
  .refine((value) => value.spec.template.spec.restartPolicy === "Always", {
    message: "must be Always in a Deployment",
    path: ["spec", "template", "spec", "restartPolicy"],
  });

const pod = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Pod"),
  metadata,
  spec: podSpec,
});

const configMap = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("ConfigMap"),
  metadata,
  data: strings.default({}),
  binaryData: strings.default({}),
});

const persistentVolumeClaim = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("PersistentVolumeClaim"),
  metadata,
  spec: z.strictObject({
    accessModes: z.array(z.enum(["ReadWriteMany", "ReadWriteOnce"])).min(1),
    storageClassName: z.string().optional(),
    volumeMode: z.literal("Filesystem").optional(),
    resources: noted,
  }),
});

const podDisruptionBudget = z.strictObject({
  apiVersion: z.literal("policy/v1"),
  kind: z.literal("PodDisruptionBudget"),
  metadata,
  spec: z
    .strictObject({ minAvailable: share.optional(), maxUnavailable: share.optional(), selector })
    .refine(
      ({ minAvailable, maxUnavailable }) => hasOneKey({ minAvailable, maxUnavailable }),
      "exactly one of minAvailable, maxUnavailable",
    ),
});

const serviceAccount = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("ServiceAccount"),
  metadata,
  automountServiceAccountToken: noted,
  imagePullSecrets: noted,
});

const namespace = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Namespace"),
  metadata,
});

export const SUPPORTED_KINDS = {
  ConfigMap: configMap,
  Deployment: deployment,
  Namespace: namespace,
  PersistentVolumeClaim: persistentVolumeClaim,
  Pod: pod,
  PodDisruptionBudget: podDisruptionBudget,
  ServiceAccount: serviceAccount,
} as const;

export type SupportedKind = keyof typeof SUPPORTED_KINDS;
export type SupportedObject = z.infer<(typeof SUPPORTED_KINDS)[SupportedKind]>;
export type DeploymentObject = z.infer<typeof deployment>;
export type ConfigMapObject = z.infer<typeof configMap>;
export type ClaimObject = z.infer<typeof persistentVolumeClaim>;
export type BudgetObject = z.infer<typeof podDisruptionBudget>;
function isSubset(
  part: Readonly<Record<string, string>>,
  whole: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(part).every(([key, value]) => whole[key] === value);
}
