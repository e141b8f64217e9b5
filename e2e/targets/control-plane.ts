import type { V1PodSpec } from "@kubernetes/client-node";

const CONTROL_PLANE = "node-role.kubernetes.io/control-plane";

/** Keeps pods of the kit off the nodes that scenarios drain, pause or fill, where the cluster has other nodes. */
export const OUT_OF_THE_WAY = {
  tolerations: [{ key: CONTROL_PLANE, operator: "Exists", effect: "NoSchedule" }],
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          preference: { matchExpressions: [{ key: CONTROL_PLANE, operator: "Exists" }] },
        },
      ],
    },
  },
} satisfies Partial<V1PodSpec>;

/**
 * The common settings of the kit's own pods. They run as the user of the app, since only that user may read the app's
 * files.
 */
export const KIT_POD = {
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 0,
  ...OUT_OF_THE_WAY,
  securityContext: { runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true },
} satisfies Partial<V1PodSpec>;
