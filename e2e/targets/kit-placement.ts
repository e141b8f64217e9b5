import type { V1PodSpec } from "@kubernetes/client-node";

const CONTROL_PLANE = "node-role.kubernetes.io/control-plane";

/** Where the kit's own pods run: away from the nodes that scenarios drain, pause or fill, where there is such a place. */
export const BESIDE_SCENARIOS: Pick<V1PodSpec, "tolerations" | "affinity"> = {
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
};
