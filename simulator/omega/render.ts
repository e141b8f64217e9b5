import type { OmegaJob } from "./identities.ts";
import type { OmegaObject } from "./objects.ts";
import type { Omega } from "./schema.ts";
import type { Site } from "./site.ts";

export interface RenderOptions {
  /** deploy_target/omega/omega.yaml, validated by parseOmega. */
  readonly omega: Omega;
  readonly job: OmegaJob;
  /** Reference of the application image, tag or digest included. */
  readonly image: string;
  readonly site: Site;
  /** Content of the files of deploy_target/omega/config by name; at least `config.yaml`. */
  readonly configFiles: Readonly<Record<string, string>>;
  /** Content of the claim's manifest (deploy_target/pvc-nonprod.yaml or pvc-prod.yaml). */
  readonly claimManifest: string;
}

/**
 * What `k8s-ci app init-kdnc` and `deploy-kdnc` would apply, as we read a template that is not public (DEVIATIONS.md), in
 * the order in which it must be applied: claim, service account, ConfigMap, Deployment, disruption budget.
 * Throws OmegaError.
 */
export function renderOmega(_options: RenderOptions): OmegaObject[] {
  throw new Error("not rendered yet");
}
