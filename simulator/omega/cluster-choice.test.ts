import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { UsageError } from "#simulator/process/command.ts";
import { chooseCluster } from "./cluster-choice.ts";
import type { ChoiceOptions, KnownContext } from "./cluster-choice.ts";
import { parseOmega } from "./document/schema.ts";

const omega = parseOmega(
  await readFile(new URL("../../deploy_target/omega/omega.yaml", import.meta.url), "utf8"),
);
const COMPONENT = "omega-aws.centraltech-nonprod1.use1";
const PRODUCTION = "omega-aws.centraltech-prod1.use1";

const context = (more: Partial<KnownContext>): KnownContext => ({
  name: PRODUCTION,
  cluster: "arn:aws:eks:prod",
  server: "https://prod.eks.example",
  proxied: false,
  ...more,
});

const choose = (at: KnownContext, more: Partial<ChoiceOptions> = {}) =>
  chooseCluster(at, { omega, job: "deploy-production", known: [at], forced: undefined, ...more });

describe("a cluster of kind", () => {
  test.each([
    "https://127.0.0.1:40001",
    "https://localhost:6443",
    "https://[::1]:6443",
    "https://0.0.0.0:6443",
  ])("is on this machine: %s", (server) => {
    expect(choose(context({ name: "kind-kafka", server }))).toBe("kind");
  });

  test.each([
    { server: "https://127.0.0.1.example.com:6443" },
    { server: "https://prod.eks.example" },
    { server: "127.0.0.1:6443" },
    { server: "https://127.0.0.1:6443", proxied: true },
  ])("is not one elsewhere: %j", (more) => {
    expect(() => choose(context({ name: "kind-kafka", ...more }))).toThrow(UsageError);
  });

  test("has a name that shows it: a local server alone is not enough", () => {
    expect(() =>
      choose(context({ name: "docker-desktop", server: "https://127.0.0.1:1" })),
    ).toThrow(/^--context must be .*, got docker-desktop;/);
  });
});

describe("the cluster of the job", () => {
  test("is taken by its whole name", () => {
    expect(choose(context({}))).toBe("other");
    for (const name of [COMPONENT, `${PRODUCTION}.`, PRODUCTION.toUpperCase(), "prod", ""]) {
      expect(() => choose(context({ name }))).toThrow(UsageError);
    }
  });

  test("is refused when the kubeconfig has the other job's cluster at the same address", () => {
    const known = [context({}), context({ name: COMPONENT })];
    expect(() => choose(context({}), { known })).toThrow(
      `${PRODUCTION} leads to ${COMPONENT}, the cluster of component; --force-context ${PRODUCTION} accepts it`,
    );
    expect(choose(context({}), { known, forced: PRODUCTION })).toBe("other");
  });
});
