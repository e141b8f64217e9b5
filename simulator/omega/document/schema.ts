import { z } from "zod";
import {
  countOrPercentOf,
  INT32_MAX,
  isDnsLabel,
  isDnsSubdomain,
  quantityOf,
} from "#simulator/kubernetes/grammar.ts";
import { validateYaml } from "./validate.ts";

const name = z.string().refine(isDnsLabel, "must be a DNS label");
const claimName = z.string().refine(isDnsSubdomain, "must be a DNS subdomain");
const directory = z
  .string()
  .regex(/^\/[^:]*[^/:]$/, "must be an absolute directory, without a / at its end");
const seconds = z.int().positive().max(INT32_MAX);

/** A Kubernetes quantity such as 500m, 2Gi or 1. */
const quantity = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine(
    (text) => quantityOf(text) !== undefined,
    "must be a quantity such as 500m, 2Gi or 129e6",
  );
const byTier = z.strictObject({ nonprod: quantity, prod: quantity });

const probe = z.strictObject({
  path: z.string().startsWith("/"),
  periodSeconds: seconds,
  timeoutSeconds: seconds,
  failureThreshold: z.int().positive().max(INT32_MAX),
});

const countOrPercent = z
  .union([z.number(), z.string()])
  .refine(
    (value) => countOrPercentOf(value) !== undefined,
    "must be a whole number of at least 0 or a percentage such as 25%",
  );

const claimMount = z.strictObject({ name, claimName, mountPath: directory });

const job = z.strictObject({
  environment: z.enum(["development", "production"]),
  colo: z.string().min(1),
  cluster: z.string().min(1),
  clusterEnvironment: z.string().min(1),
  /** Each of these replaces the top-level entry of the same name. */
  pvcMounts: z.array(claimMount).default([]),
});

/**
 * Every key that we know of omega.yaml. The keys that the deployment guide does not have are
 * optional, so that the guide's own file is accepted (and checked by preflight).
 */
export const omegaSchema = z.strictObject({
  template: z.string().startsWith("generic-app:", "only generic-app is known"),
  appName: name,
  maintainer: z.string().min(1),
  athensDomain: z.string().min(1),
  base: z.string().min(1),
  requireTLSCerts: z.boolean(),
  identityv3: z.boolean(),
  resources: z.strictObject({
    limits: z.strictObject({ cpu: byTier.optional(), memory: byTier.optional() }),
    requests: z.strictObject({ cpu: byTier.optional(), memory: byTier.optional() }),
  }),
  sidecars: z
    .strictObject({
      splunk: z
        .strictObject({ instance: z.string().min(1), omegaSplunkClientName: z.string().min(1) })
        .optional(),
    })
    .default({}),
  custom: z
    .strictObject({ appLogsDirs: z.array(directory).default([]) })
    .default({ appLogsDirs: [] }),
  configMounts: z
    .array(z.strictObject({ name, mountPath: directory, source: z.literal("config") }))
    .default([]),
  pvcMounts: z.array(claimMount).default([]),
  jobs: z.strictObject({ component: job, "deploy-production": job }),

  autoscale: z
    .strictObject({ minReplicas: z.int().nonnegative(), maxReplicas: z.int().nonnegative() })
    .refine(
      (range) => range.minReplicas === range.maxReplicas,
      "minReplicas and maxReplicas must be equal: no autoscaler is rendered",
    )
    .optional(),
  rollingUpdate: z
    .strictObject({ maxSurge: countOrPercent, maxUnavailable: countOrPercent })
    .optional(),
  progressDeadlineSeconds: seconds.optional(),
  terminationGracePeriodSeconds: seconds.optional(),
  probes: z.strictObject({ startup: probe, liveness: probe, readiness: probe }).optional(),
  securityContext: z
    .strictObject({
      runAsUser: z.int().positive(),
      runAsGroup: z.int().positive(),
      fsGroup: z.int().positive(),
    })
    .optional(),
  scratchDirs: z
    .array(z.strictObject({ name, mountPath: directory, sizeLimit: quantity }))
    .default([]),
  env: z
    .record(z.string().regex(/^[A-Z][A-Z0-9_]*$/, "must be a variable name"), z.string())
    .default({}),
});

/** The validated omega.yaml. */
export type Omega = z.infer<typeof omegaSchema>;
export type OmegaProbe = z.infer<typeof probe>;

/**
 * Validates the whole of omega.yaml. Throws OmegaError with every fault: its path, the rule, and
 * the nearest known key.
 */
export function parseOmega(text: string): Omega {
  return validateYaml("omega.yaml", omegaSchema, text);
}
