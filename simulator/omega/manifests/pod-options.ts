import type { OmegaJob } from "./identities.ts";
import type { Omega } from "#simulator/omega/document/schema.ts";
import type { Site } from "./site.ts";

export const IDENTITY_DIRECTORY = "/var/run/athenz";

export interface PodOptions {
  readonly omega: Omega;
  readonly job: OmegaJob;
  readonly image: string;
  readonly site: Site;
  readonly configMapName: string;
}
