import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { startSimulator } from "#simulator/process/simulator-process.ts";
import { installFault } from "./control/install-fault.ts";
import { remoteControl } from "./control/remote-control.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

let directory: string;
let authorityPem: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kafka-command-"));
  const authority = await createAuthority();
  authorityPem = authority.certificatePem;
  const issued = await authority.issue({ commonName: "localhost", ipAddresses: ["127.0.0.1"] });
  await writeFile(join(directory, "cert.pem"), issued.certificatePem);
  await writeFile(join(directory, "key.pem"), issued.privateKeyPem);
  await writeFile(join(directory, "users.json"), JSON.stringify({ "sre-consumer": "p" }));
  await writeFile(join(directory, "token"), "correct-horse\n");
  await writeFile(join(directory, "empty"), "\n");
});

afterAll(() => rm(directory, { recursive: true }));

const run = (...options: string[]) =>
  spawn(process.execPath, [MAIN, "kafka", ...options], { cwd: directory });

test("as a process it prints its addresses, serves, and ends cleanly on SIGTERM", async () => {
  const security = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--sasl", "SCRAM-SHA-512"];
  const child = run(
    ...security,
    "--users-file",
    "users.json",
    "--nodes",
    "2",
    "--topic",
    "incidents:3",
  );
  const exited = once(child, "exit");
  try {
    const [line] = await once(createInterface(child.stdout), "line");
    const listening = JSON.parse(String(line));
    expect(listening).toEqual({
      simulator: "kafka",
      bootstrap: expect.stringMatching(/^127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$/),
    });
    const admin = new Kafka({
      brokers: String(listening.bootstrap).split(","),
      logLevel: logLevel.NOTHING,
      ssl: { ca: [authorityPem] },
      sasl: { mechanism: "scram-sha-512", username: "sre-consumer", password: "p" },
    }).admin();
    await admin.connect();
    expect(await admin.listTopics()).toEqual(["incidents"]);
    await admin.disconnect();
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("as a process it is controlled by other processes that have the token", async () => {
  const topology = ["--nodes", "2", "--topic", "incidents:2"];
  const token = ["--control-token-file", join(directory, "token")];
  await using broker = startSimulator(["kafka", ...topology, "--control-port", "0", ...token]);
  const { bootstrap, control } = await broker.listening();
  const url = String(control);
  await expect(remoteControl({ url }).nodes()).rejects.toThrow("status 401");
  const remote = remoteControl({ url, token: "correct-horse" });
  expect((await remote.bootstrap()).join(",")).toBe(bootstrap);
  await remote.append({ topic: "incidents", key: null, value: Buffer.from("v"), partition: 1 });
  const fault = await installFault(remote, {
    api: "Metadata",
    action: { type: "delay", delayMs: 1 },
  });
  const admin = new Kafka({
    brokers: await remote.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5 },
  }).admin();
  await admin.connect();
  expect((await admin.fetchTopicOffsets("incidents")).map(({ high }) => high).toSorted()).toEqual([
    "0",
    "1",
  ]);
  await admin.disconnect();
  await fault[Symbol.asyncDispose]();
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
});

test("as a process it fails at its end when a rule was never triggered", async () => {
  await using broker = startSimulator(["kafka", "--control-port", "0"]);
  const { control } = await broker.listening();
  await remoteControl({ url: String(control) }).addFault({ action: { type: "drop" } });
  expect(await broker.stop()).toEqual({ code: 1, signal: null });
  expect(broker.stderr()).toContain("the fault never fired: drop the request");
});

test.each([
  [["--sasl", "GSSAPI"], "--sasl must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, got GSSAPI"],
  [["--topic", "a:0"], "--topic must be NAME or NAME:PARTITIONS, got a:0"],
  [["--port", "70000"], "--port must be 0 to 65535, got 70000"],
  [["--nodes", "0"], "--nodes must be at least 1, got 0"],
  [["--tls-cert", "cert.pem"], "--tls-key is required"],
  [["--control-port", "x"], "--control-port must be 0 to 65535, got x"],
  [
    ["--control-port", "0", "--control-host", "0.0.0.0"],
    "--control-host 0.0.0.0 is not loopback: --control-token-file is required",
  ],
  [["--control-port", "0", "--control-token-file", "empty"], "--control-token-file empty is empty"],
])("%j is a usage error", async (options, message) => {
  const child = run(...options);
  const exited = once(child, "exit");
  const chunks: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => void chunks.push(String(chunk)));
  expect(await exited).toEqual([2, null]);
  expect(chunks.join("")).toContain(message);
});
