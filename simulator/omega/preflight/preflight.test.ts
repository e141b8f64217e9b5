import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { classifyFindings, parseAcknowledgements } from "./findings.ts";
import { GUIDE_OMEGA_YAML } from "#simulator/omega/testing/guide.ts";
import { OMEGA_JOBS } from "#simulator/omega/manifests/identities.ts";
import { findingsOf } from "./preflight.ts";
import type { PreflightOptions } from "./preflight.ts";
import { parseOmega } from "#simulator/omega/document/schema.ts";

const ROOT = new URL("../../../", import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), "utf8");
const OMEGA = parseOmega(await read("deploy_target/omega/omega.yaml"));
const ACKNOWLEDGED = parseAcknowledgements(
  await read("simulator/omega/preflight/acknowledged-findings.yaml"),
);

const component: PreflightOptions = {
  omega: OMEGA,
  job: "component",
  claimManifest: await read("deploy_target/pvc-nonprod.yaml"),
  configFiles: {},
};
const production: PreflightOptions = {
  ...component,
  job: "deploy-production",
  claimManifest: await read("deploy_target/pvc-prod.yaml"),
};

test("the project's own deployments have acknowledged findings only, and need every acknowledgement", () => {
  const classified = classifyFindings(
    [...findingsOf(component), ...findingsOf(production)],
    ACKNOWLEDGED,
    OMEGA_JOBS,
  );
  expect(classified.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(classified.filter(({ rule }) => rule === "identity-domain-differs")).toEqual([
    expect.objectContaining({
      place: "deploy-production",
      severity: "warning",
      reason: expect.stringContaining("guide"),
    }),
  ]);
});

test("the deployment guide's own omega.yaml lacks the settings that ours adds", () => {
  const rules = findingsOf({ ...component, omega: parseOmega(GUIDE_OMEGA_YAML) }).map(
    ({ rule }) => rule,
  );
  expect(rules).toEqual([
    "principal-not-constructed",
    "namespace-not-legal",
    "grace-too-short",
    "no-probes",
    "runs-as-anyone",
  ]);
});

test.each([
  [75, []],
  [74, ["grace-too-short"]],
])(
  "a grace period of preStop's 60 s and 15 s is enough, a second less is not: %s s",
  (terminationGracePeriodSeconds, rules) => {
    expect(newRules({ ...component, omega: { ...OMEGA, terminationGracePeriodSeconds } })).toEqual(
      rules,
    );
  },
);

test.each([
  [66, []],
  [65, ["startup-too-short"]],
])(
  "the startup budget must be above the certificate wait: %s failures in 5 s each",
  (failureThreshold, rules) => {
    if (OMEGA.probes === undefined) throw new Error("omega.yaml has no probes");
    const probes = { ...OMEGA.probes, startup: { ...OMEGA.probes.startup, failureThreshold } };
    expect(newRules({ ...component, omega: { ...OMEGA, probes } })).toEqual(rules);
  },
);

describe("the claim", () => {
  test.each([
    ["of another name", "kafka-consumer-history-dev", "kafka-consumer-history-de", "claim-differs"],
    ["for one node only", "ReadWriteMany", "ReadWriteOnce", "claim-not-shared"],
    ["in another namespace", "sre.kafka-consumer-nonprod-k8s", "srekafka", "claim-elsewhere"],
  ])("%s is found", (_what, right, wrong, rule) => {
    expect(
      newRules({ ...component, claimManifest: component.claimManifest.replace(right, wrong) }),
    ).toContain(rule);
  });

  test("that no mount names is a finding", () => {
    const jobs = { ...OMEGA.jobs, component: { ...OMEGA.jobs.component, pvcMounts: [] } };
    expect(newRules({ ...component, omega: { ...OMEGA, pvcMounts: [], jobs } })).toEqual([
      "no-history-volume",
    ]);
  });
});

test("an identity that nothing issues is a finding", () => {
  expect(newRules({ ...component, omega: { ...OMEGA, requireTLSCerts: false } })).toEqual([
    "no-identity",
  ]);
});

test("a path that must be writable on a read-only root is a finding", () => {
  expect(newRules({ ...component, omega: { ...OMEGA, scratchDirs: [] } })).toEqual([
    "not-writable",
    "not-writable",
  ]);
});

test("a configuration that the consumer would refuse is a finding", () => {
  expect(newRules({ ...component, configFiles: { "config.yaml": "version: 2" } })).toEqual([
    "bad-configuration",
  ]);
});

test("the same rule broken by another value is an error, and a needless acknowledgement is one too", () => {
  const [finding] = findingsOf(component);
  if (finding === undefined) throw new Error("no finding");
  const classified = classifyFindings([{ ...finding, subject: "another" }], ACKNOWLEDGED, [
    finding.place,
  ]);
  expect(classified.map(({ rule, severity }) => [rule, severity])).toEqual([
    [finding.rule, "error"],
    ["acknowledged-for-nothing", "error"],
    ["acknowledged-for-nothing", "error"],
  ]);
});

/** Returns the broken rules that are not acknowledged. */
function newRules(options: PreflightOptions): string[] {
  const classified = classifyFindings(findingsOf(options), ACKNOWLEDGED, []);
  return classified.filter(({ severity }) => severity === "error").map(({ rule }) => rule);
}
