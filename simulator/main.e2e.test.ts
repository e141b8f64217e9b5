import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requestJson } from "./http/json-request.ts";
import { eventually, startSimulator } from "./process/simulator-process.ts";

const CLEAN = { code: 0, signal: null };

describe("simulator/main.ts", () => {
  test("runs Athenz and CKMS beside each other: denied, then granted by zms-cli as the guide says", async () => {
    await using directory = await temporaryDirectory();
    const inside = (name: string) => join(directory.path, name);
    const role = "paranoids.ppse.ckms.ykeykey_aws.res_group.bigpanda.keys.sre.access";
    await using athenz = startSimulator([
      "athenz",
      "--directory",
      directory.path,
      "--issue",
      "ckms",
      "--issue",
      "sre.consumer",
      "--role",
      `sre.tooling:role.${role}`,
    ]);
    const { url, zts } = await athenz.listening();
    await writeFile(inside("secret"), "value\n");
    await using ckms = startSimulator([
      "ckms",
      "--cert",
      inside("ckms.cert.pem"),
      "--key",
      inside("ckms.key.pem"),
      "--ca",
      inside("ca.cert.pem"),
      "--zts",
      String(zts),
      "--secret",
      `bigpanda.keys.sre/scram=${inside("secret")}`,
    ]);
    const { url: ckmsUrl } = await ckms.listening();
    const settings = {
      authority: await readFile(inside("ca.cert.pem"), "utf8"),
      identity: {
        certificatePem: await readFile(inside("sre.consumer.cert.pem"), "utf8"),
        privateKeyPem: await readFile(inside("sre.consumer.key.pem"), "utf8"),
      },
    };
    const secret = `${String(ckmsUrl)}/v1/keygroups/bigpanda.keys.sre/keys/scram`;
    expect((await requestJson(secret, settings)).status).toBe(403);
    const member = ["-d", "sre.tooling", "add-role-member", role, "sre.consumer"];
    await using granting = startSimulator([
      "zms-cli",
      ...member,
      "--url",
      String(url),
      "-c",
      inside("ca.cert.pem"),
    ]);
    expect(await granting.ended).toEqual(CLEAN);
    expect(await requestJson(secret, settings)).toMatchObject({
      status: 200,
      body: { value: Buffer.from("value").toString("base64") },
    });
    await writeFile(inside("secret"), "next\n");
    ckms.signal("SIGHUP");
    await eventually(async () =>
      expect((await requestJson(secret, settings)).body).toMatchObject({
        version: 2,
        value: Buffer.from("next").toString("base64"),
      }),
    );
    expect((await stat(inside("ckms.key.pem"))).mode & 0o777).toBe(0o600);
    expect(await ckms.stop()).toEqual(CLEAN);
    expect(await athenz.stop()).toEqual(CLEAN);
    expect(ckms.stdout() + athenz.stdout()).toMatch(/^\{[^\n]+\}\n\{[^\n]+\}\n$/);
  });

  test.each(["action-endpoint", "splunk-collector"])(
    "runs %s until SIGTERM and says where it listens",
    async (name) => {
      await using running = startSimulator([name]);
      const line = await running.listening();
      expect(line).toMatchObject({
        simulator: name,
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      });
      expect((await requestJson(String(line.url))).status).toBeGreaterThanOrEqual(200);
      expect(await running.stop()).toEqual(CLEAN);
    },
  );

  test("lets a run in another process withhold certificates and read what was issued", async () => {
    await using directory = await temporaryDirectory();
    await using athenz = startSimulator(["athenz", "--directory", directory.path]);
    const { url } = await athenz.listening();
    const authority = await readFile(join(directory.path, "ca.cert.pem"), "utf8");
    const control = (body: unknown) =>
      requestJson(`${String(url)}/simulator/certificates`, { method: "PUT", body, authority });
    expect((await control({ withheld: true })).status).toBe(204);
    expect((await control({ lifetimeMs: "long" })).status).toBe(400);
    await using sidecar = startSimulator(["athenz-sia"], {
      ZTS_URL: `${String(url)}/zts/v1`,
      ZTS_CA: join(directory.path, "ca.cert.pem"),
      ATHENZ_DOMAIN: "sre",
      ATHENZ_SERVICE: "consumer",
      SIA_OUTPUT_DIR: join(directory.path, "identity"),
      SIA_RETRY_SECONDS: "0.02",
    });
    await eventually(() => expect(sidecar.stdout()).toContain("identity.refused"));
    expect(
      (await control({ withheld: false, lifetimeMs: 60_000, refreshAfterMs: 10 })).status,
    ).toBe(204);
    await eventually(() => expect(sidecar.stdout()).toContain("identity.rotated"));
    const events = await requestJson(`${String(url)}/simulator/certificates`, { authority });
    expect(events.body).toContainEqual(
      expect.objectContaining({ type: "withheld", principal: "sre.consumer" }),
    );
    expect(events.body).toContainEqual(expect.objectContaining({ type: "refreshed" }));
  });

  test("collects events and returns them by source", async () => {
    await using collector = startSimulator(["splunk-collector"]);
    const { url } = await collector.listening();
    const batch = '{"event":"a","source":"/logs/a.log"}\n{"event":"b","source":"/logs/b.log"}';
    const send = (body: string) =>
      requestJson(`${String(url)}/services/collector/event`, { method: "POST", body });
    expect(await send(batch)).toEqual({ status: 200, body: { text: "Success", code: 0 } });
    expect(await send("nonsense")).toMatchObject({ status: 400, body: { code: 6 } });
    expect(await send("\n")).toMatchObject({ status: 400, body: { code: 5 } });
    const found = await requestJson(`${String(url)}/simulator/events?source=b.log`);
    expect(found.body).toEqual([expect.objectContaining({ event: "b", source: "/logs/b.log" })]);
  });

  test("also ends cleanly on SIGINT", async () => {
    await using running = startSimulator(["action-endpoint"]);
    await running.listening();
    running.signal("SIGINT");
    expect(await running.ended).toEqual(CLEAN);
  });

  test.each([
    { argv: [], says: "Usage: node simulator/main.ts COMMAND" },
    { argv: ["frobnicate"], says: "unknown command frobnicate" },
    { argv: ["toString"], says: "unknown command toString" },
    { argv: ["action-endpoint", "--frobnicate"], says: "Unknown option '--frobnicate'" },
    { argv: ["action-endpoint", "extra"], says: "Unexpected argument 'extra'" },
    { argv: ["action-endpoint", "--port", "x"], says: "--port must be a whole number" },
    { argv: ["action-endpoint", "--cert", "x"], says: "--cert and --key go together" },
    { argv: ["ckms"], says: "--ca is required" },
    { argv: ["ckms", "--secret", "x"], says: "--secret must be KEYGROUP/NAME=FILE, got x" },
    { argv: ["athenz", "--role", "x"], says: "--role must be DOMAIN:role.NAME" },
    { argv: ["athenz", "--issue", "x"], says: "--issue needs --directory" },
  ])("exits 2 for $argv", async ({ argv, says }) => {
    await using running = startSimulator(argv);
    expect(await running.ended).toEqual({ code: 2, signal: null });
    expect(running.stderr()).toContain(says);
    expect(running.stdout()).toBe("");
  });

  test("exits 1 when the port is taken", async () => {
    await using first = startSimulator(["action-endpoint"]);
    const { url } = await first.listening();
    await using second = startSimulator(["action-endpoint", "--port", new URL(String(url)).port]);
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.stderr()).toContain("EADDRINUSE");
  });

  test("lists its commands and shows the options of one", async () => {
    await using help = startSimulator(["action-endpoint", "--help"]);
    expect(await help.ended).toEqual(CLEAN);
    expect(help.stdout()).toContain("--idempotent");
  });
});

async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), "simulator-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function textOf(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), "utf8");
}

test("every command loads with what the image of the simulators installs", async () => {
  const { devDependencies } = z
    .object({ devDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await textOf("../package.json")));
  const [, names = ""] = / (@peculiar[^)]+)\)/.exec(await textOf("Dockerfile")) ?? [];
  const installed = names.split(" ");
  expect(installed).toContain("fastify");
  const absent = Object.keys(devDependencies).filter((name) => !installed.includes(name));
  const hook = `
    import { registerHooks } from "node:module";
    const absent = new Set(${JSON.stringify(absent)});
    registerHooks({
      resolve(specifier, context, next) {
        const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
        const isOurs = !context.parentURL?.includes("/node_modules/");
        if (isOurs && absent.has(name)) throw new Error("not in the image: " + specifier);
        return next(specifier, context);
      },
    });
  `;
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--import=data:text/javascript,${encodeURIComponent(hook)}`,
    fileURLToPath(new URL("main.ts", import.meta.url)),
    "--help",
  ]);
  expect(stdout).toContain("omega");
});
