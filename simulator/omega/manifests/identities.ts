/**
 * The values that the deployment guide gives literally for each job. The guide also says that a
 * name is `{athensDomain}.{appName}`, which yields neither of these principals, and the production
 * principal and namespace name different domains. Both are kept as given, in this one table, and
 * preflight reports it.
 */
export const DEPLOYMENTS = {
  component: {
    principal: "sre.kafka-consumer-nonprod-k8s.kafka-consumer",
    /** The Athenz domain from which the namespace is made. */
    namespaceDomain: "sre.kafka-consumer-nonprod-k8s",
    /** The column of `resources`. */
    tier: "nonprod",
    claimFile: "pvc-nonprod.yaml",
    /** The file that the copy-config step copies to omega/config/config.yaml. */
    configurationFile: "config/development-config.yaml",
  },
  "deploy-production": {
    principal: "sre.kafka-consumer-k8s.kafka-consumer",
    namespaceDomain: "sre.kafka-consumer-prod-k8s",
    tier: "prod",
    claimFile: "pvc-prod.yaml",
    configurationFile: "config/production-config.yaml",
  },
} as const;

export type OmegaJob = keyof typeof DEPLOYMENTS;

export const OMEGA_JOBS: readonly OmegaJob[] = ["component", "deploy-production"];

/**
 * Splits a principal such as `sre.kafka-consumer-k8s.kafka-consumer` at the last dot into domain
 * and service.
 */
export function splitPrincipal(principal: string): { domain: string; service: string } {
  const dot = principal.lastIndexOf(".");
  return { domain: principal.slice(0, dot), service: principal.slice(dot + 1) };
}

/**
 * Returns the Kubernetes namespace of an Athenz domain: `-` becomes `--`, then `.` becomes `-`,
 * because a namespace is a DNS label and has no dots. `sre.kafka-consumer-nonprod-k8s` becomes
 * `sre-kafka--consumer--nonprod--k8s`.
 */
export function namespaceOf(domain: string): string {
  return domain.replaceAll("-", "--").replaceAll(".", "-");
}
