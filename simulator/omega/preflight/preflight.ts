import { parseConfig } from "#consumer/config/load-config.ts";
import { hasCode } from "#consumer/errors.ts";
import { parseClaim, claimDomainOf } from "#simulator/omega/manifests/claim.ts";
import { isFractional, quantityOf } from "#simulator/kubernetes/grammar.ts";
import { refusalsOf, refusalText } from "#simulator/kubernetes/refusals.ts";
import type { Finding } from "./findings.ts";
import { hostsToFillIn } from "./hosts-to-fill-in.ts";
import { DEPLOYMENTS, namespaceOf, splitPrincipal } from "#simulator/omega/manifests/identities.ts";
import type { OmegaJob } from "#simulator/omega/manifests/identities.ts";
import { appVariables } from "#simulator/omega/manifests/pod.ts";
import { renderOmega } from "#simulator/omega/manifests/render.ts";
import type { RenderOptions } from "#simulator/omega/manifests/render.ts";
import type { Omega } from "#simulator/omega/document/schema.ts";
import { effectiveSeconds, variableFaults } from "#simulator/omega/manifests/script-variables.ts";
import { claimMounts } from "#simulator/omega/manifests/volumes.ts";

export type PreflightOptions = Pick<
  RenderOptions,
  "omega" | "job" | "claimManifest" | "configFiles"
>;

/** The default of Kubernetes. */
const GRACE_SECONDS_DEFAULT = 30;
/** The time for the kubelet's SIGTERM and the end of the sidecars, after preStop. */
const AFTER_PRESTOP_SECONDS = 15;
/** The time for the start of the process, after the certificates arrived. */
const AFTER_CERTIFICATES_SECONDS = 30;

/**
 * Returns everything that is wrong with a deployment although each file by itself is right. Throws
 * OmegaError.
 */
export function findingsOf(options: PreflightOptions): Finding[] {
  const { omega, job } = options;
  const problems = [
    ...identityProblems(omega, job),
    ...claimProblems(options),
    ...stopProblems(options),
    ...startProblems(omega),
    ...variableFaults(omega.env),
    ...isolationProblems(omega),
    ...refusedProblems(options),
  ];
  return [
    ...problems.map(([rule, subject, message]) => ({ rule, place: job, subject, message })),
    ...fractions(omega, job),
    ...hostsToFillIn(job, options.configFiles?.["config.yaml"]),
  ];
}

/** The rule, the value that breaks it, and the message for people. */
type Problem = readonly [rule: string, subject: string, message: string];

function identityProblems(omega: Omega, job: OmegaJob): Problem[] {
  const { principal, namespaceDomain } = DEPLOYMENTS[job];
  const { domain } = splitPrincipal(principal);
  const constructed = `${omega.athensDomain}.${omega.appName}`;
  const problems: Problem[] = [];
  if (constructed !== principal) {
    problems.push([
      "principal-not-constructed",
      principal,
      `{athensDomain}.{appName} is ${constructed}, and the identity is ${principal}`,
    ]);
  }
  if (domain !== namespaceDomain) {
    problems.push([
      "identity-domain-differs",
      `${domain} != ${namespaceDomain}`,
      `the identity belongs to the domain ${domain}, and the namespace to ${namespaceDomain}: ` +
        "an identity provider that checks the namespace will not issue it",
    ]);
  }
  if (!omega.requireTLSCerts || !omega.identityv3) {
    problems.push([
      "no-identity",
      `requireTLSCerts ${omega.requireTLSCerts}, identityv3 ${omega.identityv3}`,
      "app_start waits for certificates that nothing will issue: set both",
    ]);
  }
  return problems;
}

function claimProblems({ omega, job, claimManifest }: PreflightOptions): Problem[] {
  const claim = parseClaim(claimManifest);
  const domain = claimDomainOf(claimManifest);
  const wanted = DEPLOYMENTS[job].namespaceDomain;
  const problems: Problem[] = [];
  if (domain !== namespaceOf(domain)) {
    problems.push([
      "namespace-not-legal",
      domain,
      `the manifest of the PersistentVolumeClaim names the namespace ${domain}: ` +
        `apply it with ${namespaceOf(domain)}, which Kubernetes accepts`,
    ]);
  }
  if (domain !== wanted) {
    problems.push([
      "claim-elsewhere",
      domain,
      `the PersistentVolumeClaim is in ${domain}, the pods are in ${wanted}`,
    ]);
  }
  const mount = claimMounts(omega, job).find(({ name }) => name === "action-history");
  if (mount === undefined) {
    problems.push([
      "no-history-volume",
      "action-history",
      "pvcMounts has no action-history: the consumer refuses a history inside the container",
    ]);
  } else if (mount.claimName !== claim.metadata.name) {
    problems.push([
      "claim-differs",
      mount.claimName,
      `the pod mounts ${mount.claimName}, the manifest makes ${claim.metadata.name}`,
    ]);
  }
  if (!claim.spec?.accessModes?.includes("ReadWriteMany")) {
    problems.push([
      "claim-not-shared",
      String(claim.spec?.accessModes),
      "old and new pods overlap in every rollout, on different nodes: the claim needs ReadWriteMany",
    ]);
  }
  return problems;
}

function stopProblems({ omega, job, configFiles }: PreflightOptions): Problem[] {
  const grace = omega.terminationGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT;
  const prestop = effectiveSeconds(omega.env, "PRESTOP_TIMEOUT_SECONDS");
  const problems: Problem[] = [];
  if (grace < prestop + AFTER_PRESTOP_SECONDS) {
    problems.push([
      "grace-too-short",
      `${grace} s`,
      `preStop may take ${prestop} s, which count towards the grace period: ` +
        `it must be at least ${prestop + AFTER_PRESTOP_SECONDS} s`,
    ]);
  }
  const text = configFiles["config.yaml"];
  if (text === undefined) return problems;
  try {
    // The variables of the pod override the file.
    const environment = appVariables({ omega, job, site: {} });
    const { drainMs, outcomeBudgetMs } = parseConfig(text, "config.yaml", {
      environment,
    }).execution;
    if (drainMs + outcomeBudgetMs > prestop * 1000) {
      problems.push([
        "drain-too-long",
        `${drainMs} ms`,
        `drainMs and outcomeBudgetMs are ${drainMs + outcomeBudgetMs} ms together, ` +
          `and preStop kills after ${prestop} s`,
      ]);
    }
  } catch (error) {
    if (!hasCode(error, "bad-configuration")) throw error;
    problems.push(["bad-configuration", "config.yaml", error.message]);
  }
  return problems;
}

function startProblems({ probes, env }: Omega): Problem[] {
  const wait = effectiveSeconds(env, "CERT_WAIT_SECONDS");
  if (probes === undefined) {
    return [
      [
        "no-probes",
        "probes",
        "without a readiness probe a rollout replaces every pod before a new one has joined",
      ],
    ];
  }
  const { periodSeconds, failureThreshold } = probes.startup;
  const budget = periodSeconds * failureThreshold;
  if (budget >= wait + AFTER_CERTIFICATES_SECONDS) return [];
  return [
    [
      "startup-too-short",
      `${budget} s`,
      `app_start waits up to ${wait} s for certificates: ` +
        `the startup probe must allow ${wait + AFTER_CERTIFICATES_SECONDS} s`,
    ],
  ];
}

function isolationProblems({ securityContext, scratchDirs }: Omega): Problem[] {
  if (securityContext === undefined) {
    return [
      [
        "runs-as-anyone",
        "securityContext",
        "no uid: the pod runs as the image's user on a root file system that it can write",
      ],
    ];
  }
  const missing = ["/tmp", "/var/run/kafka_consumer"].filter(
    (path) => !scratchDirs.some(({ mountPath }) => mountPath === path),
  );
  return missing.map((path) => [
    "not-writable",
    path,
    `the root file system is read-only and ${path} is no volume: add it to scratchDirs`,
  ]);
}

/** Each file may be right by itself while the rendered objects are refused by an API server. */
function refusedProblems(options: PreflightOptions): Problem[] {
  const rendered = renderOmega({
    ...options,
    configFiles: { "config.yaml": "", ...options.configFiles },
    image: options.omega.base,
    site: { identity: { image: "identity" }, splunk: { image: "splunk" } },
  });
  return rendered.flatMap((object) =>
    refusalsOf(object).map((refusal): Problem => [
      "refused-by-api-server",
      `${object.kind} ${refusal.path}`,
      `${object.kind} ${object.metadata.name}: ${refusalText(refusal)}`,
    ]),
  );
}

/**
 * An API server accepts these with a warning, and no container starts with them: 512m is about half
 * a byte.
 */
function fractions({ resources }: Omega, job: OmegaJob): Finding[] {
  const { tier } = DEPLOYMENTS[job];
  return (["limits", "requests"] as const).flatMap((list) => {
    const text = resources[list].memory?.[tier];
    const quantity = text === undefined ? undefined : quantityOf(text);
    if (text === undefined || quantity === undefined || !isFractional(quantity)) return [];
    const path = `resources.${list}.memory.${tier}`;
    const message = `resources.${list}.memory is ${text}, which is no whole number of bytes: m means thousandths`;
    return [{ rule: "fraction-of-a-byte", place: job, subject: path, message, isWarning: true }];
  });
}
