import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { editorSchema } from "#fixtures/json-schema.ts";
import { GUIDE_OMEGA_YAML } from "#simulator/omega/testing/guide.ts";
import { OmegaError } from "#simulator/omega/errors.ts";
import { parseOmega, omegaSchema } from "./schema.ts";

const OMEGA_YAML = await readFile(
  new URL("../../../deploy_target/omega/omega.yaml", import.meta.url),
  "utf8",
);

test("omega.yaml has every setting of the deployment guide", () => {
  expect(parseOmega(OMEGA_YAML)).toMatchObject({
    ...parseOmega(GUIDE_OMEGA_YAML),
    scratchDirs: expect.anything(),
    env: expect.anything(),
  });
});

test.each([
  [
    "terminationGracePeriod: 90",
    "terminationGracePeriod: unknown key (did you mean terminationGracePeriodSeconds?)",
  ],
  ["configMount: []", "configMount: unknown key (did you mean configMounts?)"],
  ["zzz: 1", "zzz: unknown key (known: template, appName"],
])("an unknown key at the root is refused: %s", (line, fault) => {
  expect(faultsOf(`${GUIDE_OMEGA_YAML}${line}\n`)).toEqual([expect.stringContaining(fault)]);
});

test.each([
  [
    "claimName: kafka-consumer-history-dev",
    "claimname: kafka-consumer-history-dev",
    "jobs.component.pvcMounts.0.claimname: unknown key (did you mean claimName?)",
  ],
  [
    "omegaSplunkClientName",
    "omegaSplunkClient",
    "sidecars.splunk.omegaSplunkClient: unknown key (did you mean omegaSplunkClientName?)",
  ],
  ["  component:", "  componnet:", "jobs.componnet: unknown key (did you mean component?)"],
])("a nested unknown key is refused with its path: %s -> %s", (known, misspelt, fault) => {
  expect(faultsOf(GUIDE_OMEGA_YAML.replace(known, misspelt))).toContain(fault);
});

test.each([
  [
    "appLogsDirs: [/app/logs]",
    "appLogsDirs: [logs]",
    "custom.appLogsDirs.0: must be an absolute directory",
  ],
  [
    "limits:\n    memory: { nonprod: 2Gi",
    "limits:\n    memory: { nonprod: 2GB",
    "resources.limits.memory.nonprod: must be a quantity",
  ],
  ["template: generic-app:stable", "template: other:stable", "template: only generic-app is known"],
  ["source: config", "source: elsewhere", "configMounts.0.source: "],
])("a wrong value is refused with its path and rule: %s -> %s", (right, wrong, fault) => {
  expect(faultsOf(GUIDE_OMEGA_YAML.replace(right, wrong))).toEqual([
    expect.stringContaining(fault),
  ]);
});

test("every fault is reported at once", () => {
  const text = GUIDE_OMEGA_YAML.replace(
    "appName: kafka-consumer",
    "appName: Kafka_Consumer",
  ).replace("colo:", "color:");
  expect(faultsOf(text)).toHaveLength(3);
});

test("an autoscaler that nothing renders is refused", () => {
  expect(faultsOf(`${GUIDE_OMEGA_YAML}autoscale: { minReplicas: 1, maxReplicas: 3 }\n`)).toEqual([
    expect.stringContaining("autoscale: minReplicas and maxReplicas must be equal"),
  ]);
});

test("text that is not YAML is refused", () => {
  expect(faultsOf("a: [")).toEqual([expect.stringContaining("not YAML")]);
});

function faultsOf(text: string): readonly string[] {
  try {
    parseOmega(text);
  } catch (error) {
    if (error instanceof OmegaError) return error.faults;
    throw error;
  }
  return [];
}

test("deploy_target/omega/omega.schema.json is the JSON Schema of omega.yaml, for editors", async () => {
  const file = fileURLToPath(
    new URL("../../../deploy_target/omega/omega.schema.json", import.meta.url),
  );
  await expect(editorSchema(omegaSchema, "omega.yaml")).toMatchFileSnapshot(file);
});
