import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { KindCluster } from "./cluster.ts";
import type { Engine } from "./engine.ts";
import { fakeCommands } from "./testing/fake-command.ts";
import type { FakeCommands } from "./testing/fake-command.ts";

const KIND = `
const said = argv.join(" ");
if (said === "get clusters") console.log("other\\none");
if (said.startsWith("get nodes")) console.log("one-control-plane\\none-worker");
if (said.startsWith("get kubeconfig")) console.log("client-key-data: c2VjcmV0");
`;

let commands: FakeCommands;

beforeEach(async () => {
  commands = await fakeCommands({ kind: KIND, podman: "" });
});

afterEach(async () => {
  await commands[Symbol.asyncDispose]();
});

function cluster(name = "one", engine: Engine = "docker"): KindCluster {
  return new KindCluster({ name, engine, kubeconfigFile: "/state/kubeconfig" });
}

async function argvs(): Promise<string[]> {
  return (await commands.invocations()).map(({ command, argv }) => [command, ...argv].join(" "));
}

test("a cluster is created from cluster.yaml, and every node has the host's directory at one path", async () => {
  await cluster().create({ nodeImage: "localhost/node:1", sharedDirectory: "/host/shared: a" });
  const [created] = await commands.invocations();
  expect(created?.argv.join(" ")).toBe(
    "create cluster --config - --retain --wait 300s --name one --kubeconfig /state/kubeconfig --image localhost/node:1",
  );
  const mounts = [{ hostPath: "/host/shared: a", containerPath: "/var/kafka-consumer-kit" }];
  expect(parse(created?.input ?? "")).toEqual({
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    nodes: [
      { role: "control-plane", extraMounts: mounts },
      { role: "worker", extraMounts: mounts },
      { role: "worker", extraMounts: mounts },
    ],
    kubeadmConfigPatches: Array.from({ length: 3 }, () => expect.any(String) as unknown),
  });
});

test("without a node image, kind uses its own", async () => {
  await cluster().create({ sharedDirectory: "/host" });
  expect((await argvs())[0]).not.toContain("--image");
});

test.each(["docker", "podman"] as const)("%s is kind's provider", async (engine) => {
  await cluster("one", engine).exists();
  const [asked] = await commands.invocations();
  expect(asked?.environment).toEqual({ KIND_EXPERIMENTAL_PROVIDER: engine });
});

test("a cluster is recognized by its whole name", async () => {
  await expect(cluster("one").exists()).resolves.toBe(true);
  await expect(cluster("on").exists()).resolves.toBe(false);
});

test("a cluster can be deleted, and its nodes listed and its logs exported", async () => {
  await cluster().delete();
  await expect(cluster().nodes()).resolves.toEqual(["one-control-plane", "one-worker"]);
  await cluster().exportLogs("/artifacts/nodes");
  expect(await argvs()).toEqual([
    "kind delete cluster --name one --kubeconfig /state/kubeconfig",
    "kind get nodes --name one",
    "kind export logs /artifacts/nodes --name one",
  ]);
});

/**
 * Returns what `export logs` reports when it makes a directory of that name ("" for none) and then
 * fails.
 */
async function exportedWith(node: string): Promise<string | undefined> {
  await commands[Symbol.asyncDispose]();
  const make = `require("node:fs").mkdirSync(argv[2] + "/${node}", { recursive: true })`;
  const fail = "console.error('crictl is missing'); process.exitCode = 1";
  commands = await fakeCommands({ kind: `${make}; ${fail}` });
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-logs-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return await cluster().exportLogs(directory);
}

test("available logs are kept and missing ones reported; no logs at all are a failure", async () => {
  await expect(exportedWith("one-worker")).resolves.toContain("crictl is missing");
  await expect(exportedWith("")).rejects.toThrow("crictl is missing");
});

test("an image of docker is loaded directly", async () => {
  await cluster().loadImage("localhost/app:local", ["a", "b"]);
  expect(await argvs()).toEqual([
    "kind load docker-image localhost/app:local --name one --nodes a,b",
  ]);
});

test("an image of podman is loaded from an archive, which is removed", async () => {
  await cluster("one", "podman").loadImage("localhost/app:local", ["a"]);
  const [saved = "", loaded] = await argvs();
  const [, archive = ""] = /^podman save --output (\S+) localhost\/app:local$/.exec(saved) ?? [];
  expect(loaded).toBe(`kind load image-archive ${archive} --name one --nodes a`);
  await expect(readFile(archive)).rejects.toThrow(/ENOENT/);
});

test("the kubeconfig is returned, and no failure shows it", async () => {
  await expect(cluster().kubeconfig()).resolves.toContain("c2VjcmV0");
  await commands[Symbol.asyncDispose]();
  commands = await fakeCommands({
    kind: "console.log('c2VjcmV0'); console.error('no such cluster'); process.exitCode = 1",
  });
  await expect(cluster().kubeconfig()).rejects.toThrow(
    /^kind get kubeconfig --name one: exit code 1\n {2}no such cluster$/,
  );
});

test("a failure names the command and its last lines", async () => {
  await commands[Symbol.asyncDispose]();
  commands = await fakeCommands({
    kind: "console.error('ERROR: node(s) already exist'); process.exitCode = 1",
  });
  await expect(cluster().create({ sharedDirectory: "/host" })).rejects.toThrow(
    /^kind create cluster .*--kubeconfig \/state\/kubeconfig: exit code 1\n {2}ERROR: node\(s\) already exist$/,
  );
});
