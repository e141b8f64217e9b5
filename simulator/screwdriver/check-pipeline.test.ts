import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { checkPipeline } from "./check-pipeline.ts";
import { standInTemplates } from "./templates.ts";

const SCREWDRIVER_YAML = await readFile(new URL("../../screwdriver.yaml", import.meta.url), "utf8");

describe("the pipeline of the project", () => {
  test("is accepted without a finding", async () => {
    const { pipeline, findings } = await checkPipeline(SCREWDRIVER_YAML);
    expect(pipeline.errors).toBeUndefined();
    expect(findings).toEqual([]);
  });

  test("flows from a commit to component, and to nothing from a pull request", async () => {
    const { pipeline } = await checkPipeline(SCREWDRIVER_YAML);
    const edges = pipeline.workflowGraph.edges.map(({ src, dest }) => `${src} -> ${dest}`);
    expect(edges.toSorted()).toEqual([
      "docker -> e2e",
      "e2e -> component",
      "package -> docker",
      "validation -> package",
      "~commit -> validation",
      "~pr -> e2e",
      "~pr -> validation",
    ]);
    // This annotation would start component after the e2e of a pull request.
    expect(SCREWDRIVER_YAML).not.toContain("screwdriver.cd/chainPR:");
  });

  test.each([
    ["component", "prepare_component"],
    ["deploy-production", "prepare_production"],
  ])("%s prepares its configuration before the template deploys", async (job, script) => {
    const { pipeline } = await checkPipeline(SCREWDRIVER_YAML);
    expect(pipeline.jobs[job]?.[0]?.commands.map(({ command }) => command)).toEqual([
      `deploy_target/pipeline/${script}`,
      "k8s-ci app init-kdnc",
      "k8s-ci app deploy-kdnc",
    ]);
    expect(pipeline.jobs[job]?.[0]?.environment).toMatchObject({
      PUBLISH: "true",
      DEPLOY_TO_KDNC_K8S: "true",
      DEPLOY_TO_OLD_K8S: "false",
    });
  });

  test("deploy-production starts by hand only", async () => {
    const { pipeline } = await checkPipeline(SCREWDRIVER_YAML);
    expect(pipeline.jobs["deploy-production"]?.[0]?.requires).toEqual([]);
  });

  test("nightly starts by the clock alone, proves every checker and runs half an hour of chaos", async () => {
    const { pipeline } = await checkPipeline(SCREWDRIVER_YAML);
    const [nightly] = pipeline.jobs.nightly ?? [];
    expect(nightly?.requires).toEqual([]);
    expect(nightly?.annotations).toMatchObject({
      "screwdriver.cd/buildPeriodically": "H 2 * * *",
    });
    expect(nightly?.commands.map(({ command }) => command)).toEqual([
      "npm ci",
      "npm run e2e -- chaos --prove",
      "npm run e2e -- chaos --duration 30m",
    ]);
  });
});

describe("what Screwdriver accepts silently", () => {
  test("a step that the template does not name, as the deployment guide has it", async () => {
    const { findings } = await checkPipeline(`
jobs:
  component:
    requires: [~commit]
    template: omega/k8s-generic@latest
    steps:
      - copy-config: cp config/development-config.yaml deploy_target/omega/config/config.yaml
`);
    expect(findings).toEqual([
      expect.objectContaining({ rule: "step-dropped", place: "component", subject: "copy-config" }),
    ]);
  });

  test("the steps of ours that hang on a step which a newer template no longer has", async () => {
    const renamed = standInTemplates([
      {
        id: 2,
        namespace: "omega",
        name: "k8s-generic",
        version: "2.0.0",
        config: { image: "x", steps: [{ deploy: "k8s-ci deploy" }] },
      },
    ]);
    const { findings } = await checkPipeline(SCREWDRIVER_YAML, renamed);
    expect(findings.map(({ rule, place, subject }) => [rule, place, subject])).toEqual([
      ["step-dropped", "component", "preinit-kdnc"],
      ["step-dropped", "deploy-production", "preinit-kdnc"],
    ]);
  });

  test.each(["dokcer", "~dokcer"])("a job that requires %s", async (trigger) => {
    const { findings } = await checkPipeline(`
jobs:
  docker: { image: node, requires: [~pr, ~commit, "~sd@12:main", "~commit:release"], steps: [{ build: make }] }
  e2e: { image: node, requires: [${trigger}], steps: [{ run: make }] }
`);
    expect(findings).toEqual([
      expect.objectContaining({ rule: "unknown-job", place: "e2e", subject: trigger }),
    ]);
  });
});

describe("what Screwdriver refuses", () => {
  test.each([
    [
      "a template that does not exist",
      "jobs: { main: { template: omega/other@latest } }",
      "omega/other@latest does not exist",
    ],
    ["a key that it does not know", "jobs: { main: { image: node, stepps: [] } }", "stepps"],
  ])("%s", async (_what, yaml, message) => {
    const { findings } = await checkPipeline(yaml);
    expect(findings.map(({ rule }) => rule)).toEqual(["not-accepted"]);
    expect(findings[0]?.message).toContain(message);
  });
});

test("a template without a version is reported", async () => {
  const { findings } = await checkPipeline(
    "jobs: { main: { template: omega/k8s-generic, requires: [~pr] } }",
  );
  expect(findings).toEqual([
    expect.objectContaining({
      rule: "parser-warning",
      subject: expect.stringContaining("explicitly versioned"),
    }),
  ]);
});
