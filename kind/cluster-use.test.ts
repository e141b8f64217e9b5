import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { kindCluster } from "./bring-up.ts";
import { readRecord, recordedClusters, stateDirectory, writeRecord } from "./cluster-record.ts";
import { ClusterUse, deleteAbandoned } from "./cluster-use.ts";
import { fakeCommands } from "./testing/fake-command.ts";
import type { FakeCommands } from "./testing/fake-command.ts";
import { ownIdentity } from "./process-identity.ts";
import { runSteps } from "./steps.ts";

const NAME = "shared";

let commands: FakeCommands;
let directory: string;
let temporaryBefore: string | undefined;

/**
 * Installs a fake kind that keeps its clusters in a file below `at`, and makes one only once there
 * is a file `go`.
 */
function kindIn(at: string): string {
  return `
const file = ${JSON.stringify(join(at, "clusters"))};
const clusters = () => fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\\n").filter(Boolean) : [];
const name = argv[argv.indexOf("--name") + 1];
const [verb, what] = argv;
if (verb === "get" && what === "clusters") for (const one of clusters()) console.log(one);
if (verb === "create") {
  if (clusters().includes(name)) {
    console.error("ERROR: node(s) already exist for a cluster with the name " + name);
    process.exit(1);
  }
  fs.appendFileSync(file, name + "\\n");
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!fs.existsSync(${JSON.stringify(join(at, "go"))})) Atomics.wait(never, 0, 0, 5);
}
if (verb === "delete") fs.writeFileSync(file, clusters().filter((one) => one !== name).join("\\n"));
`;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kafka-consumer-use-"));
  commands = await fakeCommands({ kind: kindIn(directory), docker: "" });
  const { TMPDIR } = process.env;
  temporaryBefore = TMPDIR;
  // Records and locks are kept in the temporary directory.
  process.env["TMPDIR"] = join(directory, "tmp");
  await mkdir(join(directory, "tmp"));
});

afterEach(async () => {
  await commands[Symbol.asyncDispose]();
  if (temporaryBefore === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = temporaryBefore;
  await rm(directory, { recursive: true });
});

const cluster = () => kindCluster({ name: NAME, engine: "docker" });
const use = () => new ClusterUse(cluster());
const there = async () => await cluster().exists();
const allow = async () => await writeFile(join(directory, "go"), "");
const deletions = async (verb = "delete") =>
  (await commands.invocations()).filter(({ argv }) => argv[0] === verb).length;

async function begun(): Promise<ClusterUse> {
  await allow();
  const run = use();
  await run.begin({});
  await run.ready();
  return run;
}

test("a run's own cluster is deleted when it leaves, with its directory", async () => {
  const run = await begun();
  expect(await there()).toBe(true);
  expect(await run.leave({ keep: false })).toEqual([]);
  expect(await there()).toBe(false);
  expect(await readdir(join(directory, "tmp"))).toEqual([]);
});

test("a run waits for a cluster that another run is making, and takes it when it is complete", async () => {
  const first = use();
  const making = first.begin({});
  while (!(await there())) await readdir(directory);
  const second = use();
  const { promise: waiting, resolve } = Promise.withResolvers<number>();
  let beginning = "";
  const taking = second.begin({ onWait: resolve }).then((how) => (beginning = how));
  expect(await waiting).toBe(process.pid);
  await allow();
  expect(await making).toBe("made");
  // The cluster exists, but without the storage class and the images: a third run that gives up has
  // not got it either.
  await expect(use().begin({ signal: AbortSignal.timeout(50) })).rejects.toThrow(/abort|timeout/);
  expect(beginning).toBe("");
  await first.ready();
  expect(await taking).toBe("found");
  await second.ready();
});

test("when two runs share a cluster, the last one that leaves deletes it", async () => {
  const first = await begun();
  const second = await begun();
  expect(await first.leave({ keep: false })).toEqual([process.pid]);
  expect(await there()).toBe(true);
  expect(await second.leave({ keep: false })).toEqual([]);
  expect(await there()).toBe(false);
});

test("a cluster that a run wants to keep stays, whichever run leaves last, and later too", async () => {
  const first = await begun();
  const second = await begun();
  await first.leave({ keep: true });
  await second.leave({ keep: false });
  expect(await there()).toBe(true);
  await (await begun()).leave({ keep: false });
  expect(await there()).toBe(true);
});

test("a cluster that no run made is used and never deleted", async () => {
  await writeFile(join(directory, "clusters"), `${NAME}\n`);
  const run = use();
  expect(await run.begin({})).toBe("found");
  expect(await run.undo()).toBe(false);
  await run.ready();
  await run.leave({ keep: false });
  expect(await there()).toBe(true);
  expect(await deletions()).toBe(0);
});

test("an incomplete cluster of a killed run is made again", async () => {
  await allow();
  await writeFile(join(directory, "clusters"), `${NAME}\n`);
  await writeRecord(NAME, { engine: "docker", isReady: false, isKept: false });
  await writeFile(join(stateDirectory(NAME), "kubeconfig.lock"), "");
  const run = use();
  expect(await run.begin({})).toBe("remade");
  expect(await deletions()).toBe(1);
  await run.ready();
  expect(await readRecord(NAME)).toMatchObject({ isReady: true });
});

test("a failure does not delete a cluster that somebody else made at the same moment", async () => {
  await commands[Symbol.asyncDispose]();
  const racing = `if (argv[0] === "create") { console.error("ERROR: node(s) already exist"); process.exit(1); }`;
  process.env["TMPDIR"] = directory;
  commands = await fakeCommands({ kind: racing, docker: "" });
  process.env["TMPDIR"] = join(directory, "tmp");
  const run = use();
  await expect(run.begin({})).rejects.toThrow("already exist");
  expect(await run.undo()).toBe(false);
  await run.giveUp();
  expect(await deletions()).toBe(0);
  expect(await readdir(join(directory, "tmp"))).toEqual([]);
});

test("a step that took nothing is not called undone", async () => {
  await writeFile(join(directory, "clusters"), `${NAME}\n`);
  const run = use();
  const shown: string[] = [];
  const steps = [
    { title: "take", run: async () => void (await run.begin({})), undo: () => run.undo() },
    { title: "fail", run: () => Promise.reject(new Error("no space")) },
  ];
  const onStep = ({ title, state }: { title: string; state: string }) =>
    void shown.push(`${title} ${state}`);
  await expect(runSteps(steps, { onStep })).rejects.toThrow("fail: no space");
  await run.giveUp();
  expect(shown).toEqual(["take started", "take done", "fail started", "fail failed"]);
});

test("the network is removed with the last cluster, and not while another one is being made", async () => {
  const run = await begun();
  const other = `${stateDirectory("other")}.lock`;
  await writeFile(other, JSON.stringify({ ...(await ownIdentity()), nonce: "n" }));
  await run.leave({ keep: false });
  expect(await deletions("network")).toBe(0);
  await rm(other);
  await (await begun()).leave({ keep: false });
  expect(await deletions("network")).toBe(1);
});

test("clean deletes what killed runs left, and nothing that a living run uses", async () => {
  await begun();
  expect(await recordedClusters()).toEqual([NAME]);
  expect(await deleteAbandoned(cluster())).toBe(false);
  // This leaves what a killed run leaves: its process is gone, its entry is not.
  const users = join(stateDirectory(NAME), "users");
  const dead = spawnSync(process.execPath, ["--version"]).pid;
  for (const file of await readdir(users)) {
    await writeFile(join(users, file), JSON.stringify({ pid: dead, startTicks: "1" }));
  }
  // The run was killed while it made the cluster, too.
  const held = { pid: dead, startTicks: "1", nonce: "n" };
  await writeFile(`${stateDirectory(NAME)}.lock`, JSON.stringify(held));
  expect(await deleteAbandoned(cluster())).toBe(true);
  expect(await there()).toBe(false);
  expect(await recordedClusters()).toEqual([]);
});
