import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fastify } from "fastify";
import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { startSimulator } from "#simulator/process/simulator-process.ts";
import { OMEGA_JOBS } from "./manifests/identities.ts";

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
    // The golden manifests have another configuration and other sidecars, which their own test
    // compares.
    expect(objects.map(identityOf)).toEqual(golden.map(identityOf));
    const deployment = printed[1].stdout;
    expect(deployment).toContain(`image: ${IMAGE}\n`);
  });
});

test("--help says what each option means", async () => {
  const { stdout } = await omega(["--help"]);
  expect(stdout).not.toMatch(/^ {2}--\S+(?: VALUE)?$/m);
});

test("a cluster is never guessed: only a dry run is possible without a context", async () => {
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
])("the error for wrong usage names what is expected: %j", async (argv, message) => {
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
  expect(code).toBe(3);
  expect(stdout).toBe("");
  expect(stderr).toContain("omega.yaml: probes.startup.failureThreshold: ");
  expect(stderr).toContain(
    "probes.startup.failureTreshold: unknown key (did you mean failureThreshold?)",
  );
  expect(stderr).not.toContain("    at ");
});

async function dryRun(job: string, directory: string) {
  return omega(["deploy-kdnc", "--job", job, "--dry-run", "--directory", directory]);
}

describe("configuration", () => {
  test("is that of the job, and a file that another job left in the mounted directory is reported", async () => {
    await using copy = await copyOfRepository();
    const leftover = join(copy.path, "deploy_target/omega/config/config.yaml");
    await cp(join(copy.path, "config/development-config.yaml"), leftover);
    const { code, stdout, stderr } = await dryRun("deploy-production", copy.path);
    expect(code).toBe(0);
    const production = await readFile(join(copy.path, "config/production-config.yaml"), "utf8");
    expect(documentsOf(stdout)[0]).toMatchObject({ data: { "config.yaml": production } });
    expect(stderr).toContain(
      "deploy_target/omega/config/config.yaml is ignored: it differs from config/production-config.yaml, which is used",
    );
  });

  test("from copy-config is not reported", async () => {
    await using copy = await copyOfRepository();
    const copied = join(copy.path, "deploy_target/omega/config/config.yaml");
    await cp(join(copy.path, "config/development-config.yaml"), copied);
    const { code, stderr } = await dryRun("component", copy.path);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("is ignored")]);
  });

  test("is accompanied by text files", async () => {
    await using copy = await copyOfRepository();
    await writeFile(join(copy.path, "deploy_target/omega/config/extra.txt"), "é\n");
    const { stdout } = await dryRun("component", copy.path);
    expect(documentsOf(stdout)[0]).toMatchObject({ data: { "extra.txt": "é\n" } });
  });

  test.each([
    ["a binary file", "logo.png", (path: string) => writeFile(path, Buffer.from([0x89, 0xff]))],
    ["a directory", "nested", (path: string) => mkdir(path)],
  ])("%s beside it is refused", async (_what, name, make) => {
    await using copy = await copyOfRepository();
    await make(join(copy.path, "deploy_target/omega/config", name));
    const { code, stdout, stderr } = await dryRun("component", copy.path);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(`deploy_target/omega/config: ${name}: `);
  });
});

describe("preflight", () => {
  test.each([["--dry-run"], ["--context=kind-fake"]])(
    "comes first: nothing is printed or applied when it finds an error (%s)",
    async (option) => {
      await using server = await fakeApiServer();
      await using copy = await copyOfRepository();
      const path = join(copy.path, "deploy_target/omega/omega.yaml");
      const text = await readFile(path, "utf8");
      await writeFile(path, text.replace("GracePeriodSeconds: 90", "GracePeriodSeconds: 30"));
      const argv = ["deploy-kdnc", "--job", "component", option, "--directory", copy.path];
      const { code, stdout, stderr } = await omega(argv, server.env);
      expect([code, stdout, server.patched]).toEqual([3, "", []]);
      expect(stderr).toContain("omega: preflight error, component: preStop may take 60 s");
    },
  );

  test("checks the job that is deployed, and not the other one", async () => {
    await using copy = await copyOfRepository();
    await writeFile(join(copy.path, "config/production-config.yaml"), "version: 7\n");
    const argv = (job: string) => [
      "init-kdnc",
      "--job",
      job,
      "--dry-run",
      "--directory",
      copy.path,
    ];
    expect((await omega(argv("component"))).code).toBe(0);
    expect((await omega(argv("deploy-production"))).code).toBe(3);
  });
});

async function npm(...options: string[]) {
  const argv = ["run", ...options, "omega", "--", "deploy-kdnc", "--job=component", "--dry-run"];
  return await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile("npm", argv, { cwd: REPOSITORY }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

describe("through npm", () => {
  test("--silent, a dry run prints nothing but YAML", async () => {
    const { code, stdout } = await npm("--silent");
    expect(code).toBe(0);
    expect(stdout.startsWith("---\n")).toBe(true);
    expect(documentsOf(stdout).map(({ kind }) => kind)).toContain("Deployment");
  });

  test("without it, npm's own lines come first, and a hint says how to leave them out", async () => {
    const { code, stderr } = await npm();
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("npm run --silent omega -- deploy-kdnc"),
    ]);
  });
});

describe("the cluster", () => {
  const COMPONENT = "omega-aws.centraltech-nonprod1.use1";
  const PRODUCTION = "omega-aws.centraltech-prod1.use1";

  test.each(["init-kdnc", "deploy-kdnc"])(
    "of the other job is refused by %s, and nothing is applied",
    async (command) => {
      await using server = await fakeApiServer({ context: COMPONENT });
      const argv = [command, "--job", "deploy-production", "--context", COMPONENT];
      const { code, stderr } = await omega(argv, server.env);
      expect([code, server.patched]).toEqual([2, []]);
      expect(stderr).toContain(
        `omega: --context must be ${PRODUCTION}, the cluster of deploy-production, or a local one of kind, ` +
          `got ${COMPONENT}; --force-context ${COMPONENT} accepts it\n`,
      );
    },
  );

  test("of the job takes the objects, without a simulator beside the app", async () => {
    await using server = await fakeApiServer({ context: PRODUCTION });
    const argv = ["deploy-kdnc", "--job", "deploy-production", "--context", PRODUCTION];
    const { code, stderr } = await omega(argv, server.env);
    expect(code).toBe(0);
    expect(stderr).toContain(`context ${PRODUCTION} is the cluster fake at ${server.url}`);
    const deployed = server.bodies.join("\n");
    expect(deployed).toContain('"kind":"Deployment"');
    expect(deployed).not.toMatch(/localhost\/|athenz:4443|initContainers|splunk-forwarder/);
  });

  test("of kind gets the simulators", async () => {
    await using server = await fakeApiServer();
    const argv = ["deploy-kdnc", "--job", "component", "--context", "kind-fake"];
    expect((await omega(argv, server.env)).code).toBe(0);
    expect(server.bodies.join("\n")).toContain("localhost/kafka-consumer-kit/simulators");
  });

  test("that only has a name like one of kind is refused", async () => {
    await using server = await fakeApiServer({ server: "https://10.1.2.3:6443" });
    const { code, stderr } = await omega(
      ["deploy-kdnc", "--job", "component", "--context", "kind-fake"],
      server.env,
    );
    expect(code).toBe(2);
    expect(stderr).toContain("kind-fake is at https://10.1.2.3:6443, which is not this machine");
  });

  test("of another name is accepted when --force-context repeats it, without simulators", async () => {
    await using server = await fakeApiServer({ context: "staging" });
    const argv = ["deploy-kdnc", "--job", "component", "--context", "staging"];
    expect((await omega(argv, server.env)).code).toBe(2);
    expect((await omega([...argv, "--force-context", "stagin"], server.env)).code).toBe(2);
    expect(server.patched).toEqual([]);
    expect((await omega([...argv, "--force-context", "staging"], server.env)).code).toBe(0);
    expect(server.patched).toHaveLength(3);
    expect(server.bodies.join("\n")).not.toContain("localhost/");
  });

  test("whose context has the job's name and whose entry has the other's is refused", async () => {
    await using server = await fakeApiServer({ context: PRODUCTION, entry: COMPONENT });
    const argv = ["deploy-kdnc", "--job", "deploy-production", "--context", PRODUCTION];
    const { code, stderr } = await omega(argv, server.env);
    expect([code, server.patched]).toEqual([2, []]);
    expect(stderr).toContain(`${PRODUCTION} leads to ${COMPONENT}, the cluster of component`);
  });

  test.each([["--sidecar-image=localhost/sim:1"], ["--zts-url=https://zts:1"]])(
    "accepts simulators on kind only: %s",
    async (option) => {
      await using server = await fakeApiServer({ context: COMPONENT });
      const argv = ["deploy-kdnc", "--job", "component", "--context", COMPONENT, option];
      const { code, stderr } = await omega(argv, server.env);
      expect([code, server.patched]).toEqual([2, []]);
      expect(stderr).toContain("only a cluster of kind has simulators beside the app");
    },
  );

  test("a dry run without a cluster prints no simulators: it may be piped to any cluster", async () => {
    const { code, stdout } = await omega(["deploy-kdnc", "--job", "component", "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/localhost\/|athenz:4443/);
  });
});

describe("with an API server", () => {
  test("applies every object on the server's side, as the manager k8s-ci", async () => {
    await using server = await fakeApiServer();
    const { code, stderr } = await omega(
      ["init-kdnc", "--job", "component", "--context", "kind-fake"],
      server.env,
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("Namespace")]);
    expect(server.patched).toEqual([
      [`/api/v1/namespaces/${NAMESPACE}`, null],
      [`/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims/kafka-consumer-history-dev`, null],
      [`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/kafka-consumer`, null],
    ]);
  });

  test("a dry run keeps nothing, and checks objects without a namespace yet in default", async () => {
    await using server = await fakeApiServer();
    const { code, stdout, stderr } = await omega(
      ["deploy-kdnc", "--job", "component", "--context", "kind-fake", "--dry-run"],
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
      ["deploy-kdnc", "--job", "component", "--context", "kind-fake"],
      server.env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "omega: Deployment kafka-consumer: refused (422): spec.template is not to my taste\n",
    );
  });

  test("the error for an unknown context names it and the known ones", async () => {
    await using server = await fakeApiServer();
    const { code, stderr } = await omega(
      ["init-kdnc", "--job", "component", "--context", "production"],
      server.env,
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "there is no context production in the kubeconfig; known: kind-fake\n",
    );
    expect(server.patched).toEqual([]);
  });
});

interface FakeOptions {
  readonly refuse?: string;
  /** The name of the context. Defaults to `kind-fake`. */
  readonly context?: string;
  /** The name of its cluster in the kubeconfig. Defaults to `fake`. */
  readonly entry?: string;
  /** The address in the kubeconfig. Defaults to the address that the server listens on. */
  readonly server?: string;
}

/** Starts an API server that knows the kinds that we apply, and no namespace but default. */
async function fakeApiServer(options: FakeOptions = {}) {
  const bodies: string[] = [];
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
      bodies.push(String(request.body));
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
  const { context: name = "kind-fake", entry = "fake" } = options;
  const cluster = { server: options.server ?? url, "insecure-skip-tls-verify": true };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: entry, cluster }],
      users: [{ name: "fake", user: {} }],
      contexts: [{ name, context: { cluster: entry, user: "fake" } }],
      "current-context": name,
    }),
  );
  return {
    url,
    bodies,
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
