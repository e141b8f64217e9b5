import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parseOmega } from "#simulator/omega/document/schema.ts";
import { SHELLS } from "./testing/shells.ts";

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

describe.each(SHELLS)("on $name", ({ shell: [command = "sh", ...words] }) => {
  test("the launcher starts the code beside it, wherever it was installed and through links", async () => {
    await using root = await temporaryDirectory();
    const prefix = join(root.path, "installed here");
    await mkdir(join(prefix, "bin"), { recursive: true });
    await mkdir(join(prefix, "lib/kafka_consumer/consumer"), { recursive: true });
    await cp(
      join(REPOSITORY, "deploy_target/omega/bin/kafka_consumer"),
      join(prefix, "bin/kafka_consumer"),
    );
    await writeFile(
      join(prefix, "lib/kafka_consumer/consumer/main.ts"),
      "console.log(JSON.stringify({ ppid: process.ppid, argv: process.argv.slice(2) }));",
    );
    await symlink("installed here/bin/kafka_consumer", join(root.path, "relative"));
    await symlink(join(root.path, "relative"), join(root.path, "absolute"));
    const env = { PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
    for (const launcher of [join(prefix, "bin/kafka_consumer"), join(root.path, "absolute")]) {
      const args = ["--config", "a file", "--log-level", ""];
      const { stdout } = await run(command, [...words, launcher, ...args], { env, cwd: root.path });
      // The consumer is our own child and not the child of a shell: a signal for the launcher is a
      // signal for the consumer.
      expect(JSON.parse(stdout)).toEqual({ ppid: process.pid, argv: args });
    }
  });

  test("app_configure makes every directory of the seed, again and again", async () => {
    await using root = await temporaryDirectory();
    const script = join(REPOSITORY, "deploy_target/omega/scripts/app_configure");
    for (let times = 0; times < 2; times += 1) {
      await run(command, [...words, script], { env: { PATH: process.env.PATH, ROOT: root.path } });
    }
    for (const name of [
      "app/config",
      "app/logs",
      "data/automation_consumer",
      "var/run/kafka_consumer",
      "var/run/athenz",
    ]) {
      expect((await stat(join(root.path, name))).isDirectory()).toBe(true);
    }
    expect((await stat(join(root.path, "data/automation_consumer"))).mode & 0o777).toBe(0o755);
  });
});

test("the image runs as the uid and gid of omega.yaml", async () => {
  const dockerfile = await readFile(join(REPOSITORY, "Dockerfile"), "utf8");
  const { securityContext } = parseOmega(
    await readFile(join(REPOSITORY, "deploy_target/omega/omega.yaml"), "utf8"),
  );
  const owner = `${securityContext?.runAsUser}:${securityContext?.runAsGroup}`;
  expect(dockerfile).toContain(`\nUSER ${owner}\n`);
  expect(dockerfile).toContain(`APP_OWNER=${owner} /opt/omega/bin/app_configure`);
});

test.each([
  "scripts/app_start",
  "scripts/app_prestop",
  "scripts/app_configure",
  "bin/kafka_consumer",
])("%s can be executed as it is in the repository", async (name) => {
  const { mode } = await stat(join(REPOSITORY, "deploy_target/omega", name));
  expect(mode & 0o111).toBe(0o111);
});

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "omega-image-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
