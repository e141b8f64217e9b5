import type { V1PodSpec } from "@kubernetes/client-node";

const CONTROL_PLANE = "node-role.kubernetes.io/control-plane";

/** Away from the nodes that scenarios drain, pause or fill, where there are others. */
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

/** Of the kit's own pods: the app's user, whose files are for its own eyes. */
export const KIT_POD = {
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 0,
  ...OUT_OF_THE_WAY,
  securityContext: { runAsUser: 10001, runAsGroup: 10001, runAsNonRoot: true },
} satisfies Partial<V1PodSpec>;
