import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";

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
});

afterAll(() => rm(directory, { recursive: true }));

const run = (...options: string[]) =>
  spawn(process.execPath, [MAIN, "kafka", ...options], { cwd: directory });

test("as a process it says where it listens, serves, and ends cleanly on SIGTERM", async () => {
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

test.each([
  [["--sasl", "GSSAPI"], "--sasl must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, got GSSAPI"],
  [["--topic", "a:0"], "--topic must be NAME or NAME:PARTITIONS, got a:0"],
  [["--port", "70000"], "--port must be 0 to 65535, got 70000"],
  [["--nodes", "0"], "--nodes must be at least 1, got 0"],
  [["--tls-cert", "cert.pem"], "--tls-key is required"],
])("%j is a usage error", async (options, message) => {
  const child = run(...options);
  const exited = once(child, "exit");
  const chunks: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => void chunks.push(String(chunk)));
  expect(await exited).toEqual([2, null]);
  expect(chunks.join("")).toContain(message);
});
