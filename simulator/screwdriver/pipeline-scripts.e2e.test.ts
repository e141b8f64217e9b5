import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const PIPELINE = fileURLToPath(new URL("../../deploy_target/pipeline/", import.meta.url));
const DIGEST = `docker.ouroath.com:4443/yahoo/kafka_consumer@sha256:${"a".repeat(64)}`;
const OTHER_DIGEST = `docker.ouroath.com:4443/yahoo/kafka_consumer@sha256:${"b".repeat(64)}`;

/**
 * Screwdriver's `meta`, as far as the scripts use it: there is a file for each key, and `--external
 * JOB` reads what a successful build of JOB left.
 */
const FAKE_META = `#!/bin/sh
directory="$META/own"
[ "\${3:-}" != --external ] || directory="$META/$4"
case $1 in
    set) printf %s "$3" >"$META/own/$2" ;;
    get) cat "$directory/$2" 2>/dev/null || echo null ;;
esac
`;

const FAKE_DOCKER = `#!/bin/sh
echo other.registry/kafka_consumer@sha256:0000
echo "$PUSHED"
`;

describe("record_image", () => {
  test("records the digest of the pushed repository", async () => {
    await using build = await startBuild();
    const result = await build.run(
      "record_image",
      ["docker.ouroath.com:4443/yahoo/kafka_consumer:abc"],
      { PUSHED: DIGEST },
    );
    expect(result).toMatchObject({ code: 0 });
    expect(await build.meta("own/kafka_consumer.image")).toBe(DIGEST);
  });

  test("refuses an image that was not pushed", async () => {
    await using build = await startBuild();
    const result = await build.run(
      "record_image",
      ["docker.ouroath.com:4443/yahoo/kafka_consumer:abc"],
      { PUSHED: "" },
    );
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("was it pushed?") });
  });
});

describe("prepare_component", () => {
  test("copies the development configuration, pins the image and records image and commit", async () => {
    await using build = await startBuild({ "own/kafka_consumer.image": DIGEST });
    expect(await build.run("prepare_component")).toMatchObject({ code: 0 });
    expect(await build.source("deploy_target/omega/config/config.yaml")).toBe("for: development\n");
    expect(await build.source("deploy_target/omega/omega.yaml")).toBe(
      `appName: x\nbase: ${DIGEST}\nrequireTLSCerts: true\n`,
    );
    expect(await build.meta("own/kafka_consumer.component.image")).toBe(DIGEST);
    expect(await build.meta("own/kafka_consumer.component.commit")).toBe("commit-1");
  });

  test("refuses when this event built no image", async () => {
    await using build = await startBuild();
    const result = await build.run("prepare_component");
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("recorded no image") });
    await expect(build.source("deploy_target/omega/config/config.yaml")).rejects.toThrow("ENOENT");
  });

  test("refuses an omega.yaml whose image it cannot find", async () => {
    await using build = await startBuild({ "own/kafka_consumer.image": DIGEST });
    await writeFile(join(build.root, "source/deploy_target/omega/omega.yaml"), "appImage: x\n");
    expect(await build.run("prepare_component")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("begins with base:"),
    });
  });
});

describe("prepare_production", () => {
  const passed = {
    "sd@7:component/kafka_consumer.component.image": DIGEST,
    "sd@7:component/kafka_consumer.component.commit": "commit-1",
  };

  test.each([
    ["started by itself", {}],
    ["started in the event of the commit", { "own/kafka_consumer.image": DIGEST }],
  ])("deploys the image that passed in component (%s)", async (_how, own) => {
    await using build = await startBuild({ ...passed, ...own });
    expect(await build.run("prepare_production")).toMatchObject({ code: 0 });
    expect(await build.source("deploy_target/omega/config/config.yaml")).toBe("for: production\n");
    expect(await build.source("deploy_target/omega/omega.yaml")).toContain(`base: ${DIGEST}\n`);
  });

  test.each([
    ["component never passed", {}, "no build of component has passed"],
    [
      "component passed for another commit",
      { ...passed, "sd@7:component/kafka_consumer.component.commit": "commit-0" },
      "component passed last for commit commit-0, and this is commit-1",
    ],
    [
      "the image was built again since",
      { ...passed, "own/kafka_consumer.image": OTHER_DIGEST },
      `component passed with ${DIGEST}, and this event built ${OTHER_DIGEST}`,
    ],
    [
      "component noted its image in this event and then failed",
      {
        "own/kafka_consumer.component.image": DIGEST,
        "own/kafka_consumer.component.commit": "commit-1",
        "own/kafka_consumer.image": DIGEST,
      },
      "no build of component has passed",
    ],
  ])("refuses when %s", async (_why, notes, message) => {
    await using build = await startBuild(notes);
    const result = await build.run("prepare_production");
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    await expect(build.source("deploy_target/omega/config/config.yaml")).rejects.toThrow("ENOENT");
    expect(await build.source("deploy_target/omega/omega.yaml")).toContain("base: repository\n");
  });
});

interface Build extends AsyncDisposable {
  readonly root: string;
  run(
    script: string,
    args?: string[],
    env?: Record<string, string>,
  ): Promise<{ code: unknown; stderr: string }>;
  meta(name: string): Promise<string>;
  source(path: string): Promise<string>;
}

/** Starts a build of this pipeline (id 7) at commit-1, with the metadata in `notes`. */
async function startBuild(notes: Readonly<Record<string, string>> = {}): Promise<Build> {
  const root = await mkdtemp(join(tmpdir(), "pipeline-"));
  const files: Record<string, string> = {
    "bin/meta": FAKE_META,
    "bin/docker": FAKE_DOCKER,
    "source/config/development-config.yaml": "for: development\n",
    "source/config/production-config.yaml": "for: production\n",
    "source/deploy_target/omega/omega.yaml":
      "appName: x\nbase: repository\nrequireTLSCerts: true\n",
  };
  for (const [name, value] of Object.entries(notes)) files[`meta/${name}`] = value;
  await mkdir(join(root, "meta/own"), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(root, name, ".."), { recursive: true });
    await writeFile(join(root, name), content);
  }
  await Promise.all(["bin/meta", "bin/docker"].map((name) => chmod(join(root, name), 0o755)));
  return {
    root,
    run: (script, args = [], env = {}) =>
      new Promise((resolve) => {
        const environment = {
          PATH: [join(root, "bin"), process.env.PATH].join(delimiter),
          META: join(root, "meta"),
          SD_SOURCE_DIR: join(root, "source"),
          SD_PIPELINE_ID: "7",
          SD_BUILD_SHA: "commit-1",
          ...env,
        };
        execFile(
          "sh",
          [join(PIPELINE, script), ...args],
          { env: environment },
          (error, _stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stderr }),
        );
      }),
    meta: (name) => readFile(join(root, "meta", name), "utf8"),
    source: (path) => readFile(join(root, "source", path), "utf8"),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}
