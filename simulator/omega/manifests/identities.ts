/**
 * What the deployment guide gives literally for each job. It also says that a name is `{athensDomain}.{appName}`, which
 * gives neither of these principals, and the production principal and namespace name different domains: both are kept
 * as given, in this one table, and preflight reports it.
 */
export const DEPLOYMENTS = {
  component: {
    principal: "sre.kafka-consumer-nonprod-k8s.kafka-consumer",
    /** Athenz domain that the namespace is made from. */
    namespaceDomain: "sre.kafka-consumer-nonprod-k8s",
    /** Column of `resources`. */
    tier: "nonprod",
    claimFile: "pvc-nonprod.yaml",
    /** What the copy-config step copies to omega/config/config.yaml. */
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

/** `sre.kafka-consumer-k8s.kafka-consumer` -> domain and service, split at the last dot. */
export function splitPrincipal(principal: string): { domain: string; service: string } {
  const dot = principal.lastIndexOf(".");
  return { domain: principal.slice(0, dot), service: principal.slice(dot + 1) };
}

/**
 * Kubernetes namespace of an Athenz domain: `-` to `--`, then `.` to `-`, since a namespace is a DNS label and has no dots.
 * `sre.kafka-consumer-nonprod-k8s` -> `sre-kafka--consumer--nonprod--k8s`
 */
export function namespaceOf(domain: string): string {
  return domain.replaceAll("-", "--").replaceAll(".", "-");
}
