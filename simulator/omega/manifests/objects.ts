import type {
  V1ConfigMap,
  V1Deployment,
  V1DeploymentSpec,
  V1ObjectMeta,
  V1PersistentVolumeClaim,
  V1PodDisruptionBudget,
  V1ServiceAccount,
} from "@kubernetes/client-node";

type Rendered<Kind extends string, Shape> = Shape & {
  apiVersion: string;
  kind: Kind;
  metadata: V1ObjectMeta & { name: string; namespace: string };
};

/** The rendered Deployment, whose spec is always present. */
export type OmegaDeployment = Rendered<"Deployment", V1Deployment & { spec: V1DeploymentSpec }>;

export type OmegaClaim = Rendered<"PersistentVolumeClaim", V1PersistentVolumeClaim>;

/**
 * Every rendered object, told apart by `kind`. They are plain data: safe to clone with
 * structuredClone and to print as YAML.
 */
export type OmegaObject =
  | OmegaClaim
  | OmegaDeployment
  | Rendered<"ConfigMap", V1ConfigMap & { data: Record<string, string> }>
  | Rendered<"ServiceAccount", V1ServiceAccount>
  | Rendered<"PodDisruptionBudget", V1PodDisruptionBudget>;

/** Returns the one Deployment among the rendered objects. */
export function deploymentOf(objects: readonly OmegaObject[]): OmegaDeployment {
  const deployment = objects.find((object) => object.kind === "Deployment");
  if (deployment === undefined) throw new Error("the rendered objects hold no Deployment");
  return deployment;
}
