import { z } from "zod";
import { namespaceOf } from "./identities.ts";
import type { OmegaClaim } from "./objects.ts";
import { validateYaml } from "#simulator/omega/document/validate.ts";

const claimSchema = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("PersistentVolumeClaim"),
  metadata: z.strictObject({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    accessModes: z.array(
      z.enum(["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"]),
    ),
    storageClassName: z.string(),
    resources: z.strictObject({
      requests: z.strictObject({ storage: z.union([z.string(), z.number()]).transform(String) }),
    }),
  }),
});

/**
 * Returns the PersistentVolumeClaim of a manifest in deploy_target, with its Athenz domain replaced by the
 * namespace that Kubernetes accepts. Throws OmegaError.
 */
export function parseClaim(manifest: string): OmegaClaim {
  const { metadata, ...claim } = validateYaml("claim manifest", claimSchema, manifest);
  return { ...claim, metadata: { ...metadata, namespace: namespaceOf(metadata.namespace) } };
}

/** Returns the namespace that the manifest names, unchanged. Throws OmegaError. */
export function claimDomainOf(manifest: string): string {
  return validateYaml("claim manifest", claimSchema, manifest).metadata.namespace;
}
