import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { readDeployTarget } from "#simulator/omega/deploy-target.ts";
import { namespaceOf, OMEGA_JOBS } from "./identities.ts";
import type { OmegaJob } from "./identities.ts";
import { deploymentOf } from "./objects.ts";
import { renderOmega } from "./render.ts";
import type { RenderOptions } from "./render.ts";

const DEPLOY_TARGET = fileURLToPath(new URL("../../../deploy_target/", import.meta.url));

async function optionsOf(job: OmegaJob): Promise<RenderOptions> {
  return {
    ...(await readDeployTarget(DEPLOY_TARGET, job)),
    configFiles: { "config.yaml": "version: 1\n" },
    image: "docker.ouroath.com:4443/yahoo/kafka_consumer@sha256:0123456789abcdef",
    site: {
      identity: {
        image: "athenz-sia:stand-in",
        environment: { ZTS_URL: "https://zts.example:4443" },
      },
      splunk: { image: "splunk-forwarder:stand-in" },
    },
  };
}

describe.each(OMEGA_JOBS)("%s", (job) => {
  test("renders the golden manifests (vitest -u writes them)", async () => {
    const objects = renderOmega(await optionsOf(job));
    const header = [
      `# What Omega would apply for the job ${job}: our reading of the template generic-app, which is not public`,
      "# (simulator/omega/DEVIATIONS.md). Compared with a render in simulator/omega/manifests/render.test.ts.",
      "",
    ].join("\n");
    const documents = objects.map((object) =>
      stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }),
    );
    await expect(`${header}---\n${documents.join("---\n")}`).toMatchFileSnapshot(
      `../../../fixtures/manifests/${job}.yaml`,
    );
  });

  test("puts every object into the namespace that Kubernetes accepts", async () => {
    const namespaces = renderOmega(await optionsOf(job)).map(({ metadata }) => metadata.namespace);
    const [namespace = ""] = namespaces;
    expect(new Set(namespaces).size).toBe(1);
    expect(namespace).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  test("mounts only volumes that the pod has, each path once", async () => {
    const pod = deploymentOf(renderOmega(await optionsOf(job))).spec.template.spec;
    const volumes = (pod?.volumes ?? []).map(({ name }) => name);
    expect(new Set(volumes).size).toBe(volumes.length);
    for (const container of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
      const paths = container.volumeMounts?.map(({ mountPath }) => mountPath) ?? [];
      expect(new Set(paths).size).toBe(paths.length);
      for (const { name } of container.volumeMounts ?? []) expect(volumes).toContain(name);
    }
  });
});

test("an Athenz domain maps to its namespace: - to --, then . to -", () => {
  expect(namespaceOf("sre.kafka-consumer-nonprod-k8s")).toBe("sre-kafka--consumer--nonprod--k8s");
});

test("a job's claim replaces the top-level mount of the same name", async () => {
  const pod = deploymentOf(renderOmega(await optionsOf("component"))).spec.template.spec;
  const claims = pod?.volumes?.flatMap(
    ({ persistentVolumeClaim: claim }) => claim?.claimName ?? [],
  );
  expect(claims).toEqual(["kafka-consumer-history-dev"]);
});

test("another configuration changes the pod template, and nothing else", async () => {
  const options = await optionsOf("component");
  const hashOf = (configFiles: Record<string, string>) =>
    deploymentOf(renderOmega({ ...options, configFiles })).spec.template.metadata?.annotations;
  const first = hashOf({ "config.yaml": "a", "extra.yaml": "b" });
  expect(hashOf({ "extra.yaml": "b", "config.yaml": "a" })).toEqual(first);
  expect(hashOf({ "config.yaml": "ab", "extra.yaml": "" })).not.toEqual(first);
  expect(hashOf({ "config.yaml": "a", "extra.yaml": "c" })).not.toEqual(first);
});

test("the site's variables override, and reach only their container", async () => {
  const options = await optionsOf("component");
  const site = { ...options.site, appEnvironment: { LOG_LEVEL: "debug" } };
  const pod = deploymentOf(renderOmega({ ...options, site })).spec.template.spec;
  const valueOf = (container: string, name: string) =>
    [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]
      .find((candidate) => candidate.name === container)
      ?.env?.filter((variable) => variable.name === name)
      .map(({ value }) => value);
  expect(valueOf("app", "LOG_LEVEL")).toEqual(["debug"]);
  expect(valueOf("identity", "ZTS_URL")).toEqual(["https://zts.example:4443"]);
  expect(valueOf("app", "ZTS_URL")).toEqual([]);
});

test("without the copied configuration nothing is rendered", async () => {
  const options = await optionsOf("component");
  expect(() => renderOmega({ ...options, configFiles: {} })).toThrow(
    "deploy_target/omega/config: config.yaml is missing: the copy-config step of the pipeline did not run",
  );
  expect(() => renderOmega({ ...options, configFiles: { "config.yaml": "", "a/b": "" } })).toThrow(
    "a/b: not a key",
  );
});

test("a single replica has no disruption budget, which could only block a drain", async () => {
  const options = await optionsOf("component");
  const omega = { ...options.omega, autoscale: { minReplicas: 1, maxReplicas: 1 } };
  const kinds = renderOmega({ ...options, omega }).map(({ kind }) => kind);
  expect(kinds).toEqual(["PersistentVolumeClaim", "ServiceAccount", "ConfigMap", "Deployment"]);
});

test("the identity's key is in memory, and the app cannot write it", async () => {
  const pod = deploymentOf(renderOmega(await optionsOf("component"))).spec.template.spec;
  expect(pod?.volumes?.find(({ name }) => name === "athenz")?.emptyDir?.medium).toBe("Memory");
  const mount = pod?.containers[0]?.volumeMounts?.find(({ name }) => name === "athenz");
  expect(mount).toEqual({ name: "athenz", mountPath: "/var/run/athenz", readOnly: true });
});

test("the claims have the values of the deployment guide", async () => {
  const manifest = parse(await readFile(`${DEPLOY_TARGET}/pvc-prod.yaml`, "utf8"));
  expect(manifest).toEqual({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "kafka-consumer-history-prod", namespace: "sre.kafka-consumer-prod-k8s" },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "efs-default",
      resources: { requests: { storage: "1Gi" } },
    },
  });
});
