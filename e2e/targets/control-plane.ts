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
