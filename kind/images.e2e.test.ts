import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "./command.ts";
import { findEngine } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { buildImage } from "./images.ts";
import type { BuiltImage } from "./images.ts";
import { notAsked } from "./testing/container-tests.ts";

const BUILD_MS_MAX = 600_000;

/** These are the restrictions of a hardened pod: nothing in the root file system can be written. */
const HARDENED = ["--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"];

describe.skipIf(notAsked() !== "")(`images${notAsked()}`, () => {
  let engine: Engine;
  let consumer: BuiltImage;
  let simulators: BuiltImage;

  beforeAll(async () => {
    engine = await findEngine();
    consumer = await buildImage("consumer", { engine, tag: "test" });
    simulators = await buildImage("simulators", { engine, tag: "test" });
  }, BUILD_MS_MAX);

  afterAll(async () => {
    await runCommand(engine, ["image", "rm", consumer.name, simulators.name]);
  });

  const inContainer = async (image: BuiltImage, script: string): Promise<string> =>
    await runCommand(engine, ["run", ...HARDENED, "--entrypoint=sh", image.name, "-c", script]);

  test("both images run as uid 10001 on a read-only root", async () => {
    for (const image of [consumer, simulators]) {
      await expect(inContainer(image, "id -u; id -g; touch /opt/x 2>&1 || true")).resolves.toMatch(
        /^10001\n10001\n.*Read-only file system\n$/,
      );
    }
  });

  test("the consumer's image holds its launcher, app_configure's directories, and runtime dependencies", async () => {
    const usage = await inContainer(consumer, "/opt/y/1.0/bin/kafka_consumer 2>&1; echo $?");
    expect(usage).toMatch(/usage: kafka_consumer --config FILE.*\n2\n$/s);
    const owners = "stat -c '%u:%g %n' /app/logs /data/automation_consumer /var/run/kafka_consumer";
    await expect(inContainer(consumer, owners)).resolves.toBe(
      "10001:10001 /app/logs\n10001:10001 /data/automation_consumer\n10001:10001 /var/run/kafka_consumer\n",
    );
    const lib = "/opt/y/1.0/lib/kafka_consumer";
    const modules = (await inContainer(consumer, `ls ${lib}/node_modules`)).split("\n");
    expect(modules).toContain("kafkajs");
    for (const tool of ["typescript", "vitest", "fastify", "@kubernetes", "@platformatic"]) {
      expect(modules).not.toContain(tool);
    }
    await expect(inContainer(consumer, `find ${lib}/consumer -name '*.test.ts'`)).resolves.toBe("");
    await expect(inContainer(consumer, `ls ${lib}`)).resolves.toBe(
      "consumer\nnode_modules\npackage.json\n",
    );
  });

  test("the consumer's PID 1 waits for certificates and ends at the stop signal", async () => {
    const name = `kafka-consumer-test-${process.pid}`;
    const running = runCommand(engine, ["run", ...HARDENED, `--name=${name}`, consumer.name], {
      onLine: (line) => {
        if (line.includes("waiting up to 300 s")) waiting.resolve();
      },
    });
    const waiting = Promise.withResolvers<void>();
    await Promise.race([waiting.promise, running]);
    await runCommand(engine, ["stop", "--time=20", name]);
    // Any exit code but 0 would reject.
    await expect(running).resolves.toBeTypeOf("string");
  });

  test("the simulators' image runs a simulator by its name, and ends at the stop signal", async () => {
    const name = `kafka-consumer-test-action-endpoint-${process.pid}`;
    const listening = Promise.withResolvers<string>();
    const argv = ["run", ...HARDENED, `--name=${name}`, simulators.name, "action-endpoint"];
    const running = runCommand(engine, argv, { onLine: (line) => listening.resolve(line) });
    await Promise.race([listening.promise, running]);
    await runCommand(engine, ["stop", "--time=20", name]);
    await running;
    expect(JSON.parse(await listening.promise)).toMatchObject({ simulator: "action-endpoint" });
  });
});
