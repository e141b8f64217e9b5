import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fastify } from "fastify";
import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { startSimulator } from "../simulator-process.ts";
import { OMEGA_JOBS } from "./identities.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const IMAGE = "docker.ouroath.com:4443/yahoo/kafka_consumer@sha256:0123456789abcdef";
const NAMESPACE = "sre-kafka--consumer--nonprod--k8s";

async function omega(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  await using running = startSimulator(["omega", ...argv], env);
  const { code } = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

type Manifest = z.infer<typeof manifest>;

function documentsOf(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => manifest.parse(document.toJS()));
}

function identityOf({ kind, metadata }: Manifest) {
  return { kind, metadata };
}

describe.each(OMEGA_JOBS)("%s", (job) => {
  test("init-kdnc and deploy-kdnc print, together and with the namespace, the golden manifests", async () => {
    const arguments_ = ["--job", job, "--dry-run", "--image", IMAGE];
    const printed = await Promise.all([
      omega(["init-kdnc", ...arguments_]),
      omega(["deploy-kdnc", ...arguments_]),
    ]);
    expect(printed.map(({ code }) => code)).toEqual([0, 0]);
    const [namespace, ...objects] = printed.flatMap(({ stdout }) => documentsOf(stdout));
    const golden = documentsOf(
      await readFile(join(REPOSITORY, `fixtures/manifests/${job}.yaml`), "utf8"),
    );
    expect(namespace).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: golden[0]?.metadata.namespace },
    });
    // The golden ones have another configuration and other sidecars: their own test compares those.
    expect(objects.map(identityOf)).toEqual(golden.map(identityOf));
    const deployment = printed[1].stdout;
    expect(deployment).toContain(`image: ${IMAGE}\n`);
  });
});

test("a cluster is never guessed: without a context only a dry run is possible", async () => {
  const { code, stderr } = await omega(["deploy-kdnc", "--job", "component"]);
  expect(code).toBe(2);
  expect(stderr).toBe("omega: --context must name a cluster, or --dry-run print the objects\n");
});

test.each([
  [["deploy", "--job", "component", "--dry-run"], "one of init-kdnc, deploy-kdnc is wanted"],
  [["init-kdnc", "--dry-run"], "--job is required"],
  [
    ["init-kdnc", "--job", "prod", "--dry-run"],
    "--job must be one of component, deploy-production",
  ],
])("wrong usage names what is wanted: %j", async (argv, message) => {
  const { code, stderr } = await omega(argv);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test("an unknown key of omega.yaml is refused with its path and the nearest known key", async () => {
  await using copy = await copyOfRepository();
  const path = join(copy.path, "deploy_target/omega/omega.yaml");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace("failureThreshold: 72", "failureTreshold: 72"));
  const argv = ["deploy-kdnc", "--job", "component", "--dry-run", "--directory", copy.path];
  const { code, stdout, stderr } = await omega(argv);
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain("omega.yaml: probes.startup.failureThreshold: ");
  expect(stderr).toContain(
    "probes.startup.failureTreshold: unknown key (did you mean failureThreshold?)",
  );
  expect(stderr).not.toContain("    at ");
});

test("what copy-config put there is what the pods get", async () => {
  await using copy = await copyOfRepository();
  await writeFile(join(copy.path, "deploy_target/omega/config/config.yaml"), "version: 7\n");
  const argv = ["deploy-kdnc", "--job", "component", "--dry-run", "--directory", copy.path];
  const { stdout, stderr } = await omega(argv);
  expect(stderr).toBe("");
  expect(documentsOf(stdout)[0]).toMatchObject({ data: { "config.yaml": "version: 7\n" } });
});

describe("with an API server", () => {
  test("applies every object on the server's side, by the name of k8s-ci", async () => {
    await using server = await fakeApiServer();
    const { code, stderr } = await omega(
      ["init-kdnc", "--job", "component", "--context", "fake"],
      server.env,
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("Namespace")]);
    expect(server.patched).toEqual([
      [`/api/v1/namespaces/${NAMESPACE}`, null],
      [`/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims/kafka-consumer-history-dev`, null],
      [`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/kafka-consumer`, null],
    ]);
  });

  test("a dry run keeps nothing, and checks in default what has no namespace yet", async () => {
    await using server = await fakeApiServer();
    const { code, stdout, stderr } = await omega(
      ["deploy-kdnc", "--job", "component", "--context", "fake", "--dry-run"],
      server.env,
    );
    expect(code).toBe(0);
    expect(documentsOf(stdout)[0]?.metadata.namespace).toBe(NAMESPACE);
    expect(stderr).toContain(`there is no namespace ${NAMESPACE}: checked in default`);
    expect(stderr).toContain("Deployment kafka-consumer: accepted by the API server, not kept");
    expect(server.patched).toEqual([
      ["/api/v1/namespaces/default/configmaps/kafka-consumer-config", "All"],
      ["/apis/apps/v1/namespaces/default/deployments/kafka-consumer", "All"],
      ["/apis/policy/v1/namespaces/default/poddisruptionbudgets/kafka-consumer", "All"],
    ]);
  });

  test("a refusal names the object and the server's reason", async () => {
    await using server = await fakeApiServer({ refuse: "deployments" });
    const { code, stderr } = await omega(
      ["deploy-kdnc", "--job", "component", "--context", "fake"],
      server.env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "omega: Deployment kafka-consumer: refused (422): spec.template is not to my taste\n",
    );
  });

  test("a context that is not there is named, with those that are", async () => {
    await using server = await fakeApiServer();
    const { code, stderr } = await omega(
      ["init-kdnc", "--job", "component", "--context", "production"],
      server.env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain("there is no context production in the kubeconfig; known: fake\n");
    expect(server.patched).toEqual([]);
  });
});

/** Knows the kinds that we apply, and no namespace but default. */
async function fakeApiServer(options: { readonly refuse?: string } = {}) {
  const patched: [path: string, dryRun: string | null][] = [];
  const server = fastify({ forceCloseConnections: true });
  server.addContentTypeParser(
    "application/apply-patch+yaml",
    { parseAs: "string" },
    (_, body, done) => done(null, body),
  );
  for (const [groupVersion, resources] of Object.entries(RESOURCES)) {
    const prefix = groupVersion === "v1" ? "/api/v1" : `/apis/${groupVersion}`;
    server.get(prefix, () => ({
      kind: "APIResourceList",
      groupVersion,
      resources: resources.map(([name, kind]) => ({
        name,
        kind,
        namespaced: kind !== "Namespace",
      })),
    }));
  }
  server.get("/api/v1/namespaces/:name", async (_, reply) =>
    reply.code(404).send({ kind: "Status", code: 404 }),
  );
  server.patch(
    "/*",
    async (request: FastifyRequest<{ Querystring: Record<string, string> }>, reply) => {
      const [path = ""] = request.url.split("?");
      expect(request.query).toMatchObject({ fieldManager: "k8s-ci-stand-in", force: "true" });
      patched.push([path, request.query["dryRun"] ?? null]);
      if (options.refuse !== undefined && path.includes(options.refuse)) {
        return reply
          .code(422)
          .send({ kind: "Status", code: 422, message: "spec.template is not to my taste" });
      }
      return request.body;
    },
  );
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  const directory = await mkdtemp(join(tmpdir(), "omega-command-"));
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "fake", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "fake", user: {} }],
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    }),
  );
  return {
    patched,
    env: { KUBECONFIG: kubeconfig },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

const RESOURCES: Readonly<Record<string, readonly (readonly [name: string, kind: string])[]>> = {
  v1: [
    ["namespaces", "Namespace"],
    ["persistentvolumeclaims", "PersistentVolumeClaim"],
    ["serviceaccounts", "ServiceAccount"],
    ["configmaps", "ConfigMap"],
  ],
  "apps/v1": [["deployments", "Deployment"]],
  "policy/v1": [["poddisruptionbudgets", "PodDisruptionBudget"]],
};

async function copyOfRepository() {
  const path = await mkdtemp(join(tmpdir(), "omega-command-"));
  for (const name of ["deploy_target", "config"]) {
    await cp(join(REPOSITORY, name), join(path, name), { recursive: true });
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
