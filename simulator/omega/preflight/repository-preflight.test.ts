import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { preflight } from "./repository-preflight.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

/** Makes a copy of the files that preflight reads, with one file changed. */
async function changed(path: string, change: (text: string) => string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-preflight-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const part of ["deploy_target", "config"]) {
    await cp(join(REPOSITORY, part), join(directory, part), { recursive: true });
  }
  const text = await readFile(join(directory, path), "utf8");
  await writeFile(join(directory, path), change(text));
  return directory;
}

const errors = async (repository?: string): Promise<string[]> =>
  (await preflight(repository))
    .filter(({ severity }) => severity === "error")
    .map(({ place, rule }) => `${place}: ${rule}`);

test("this repository has no errors, and warns of what the guide prescribes", async () => {
  expect(await errors()).toEqual([]);
  expect(await preflight()).toContainEqual(
    expect.objectContaining({ severity: "warning", rule: "namespace-not-legal" }),
  );
});

test("a grace that preStop uses up is an error in both jobs", async () => {
  const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
    text.replace("terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 30"),
  );
  expect(await errors(repository)).toEqual([
    "component: grace-too-short",
    "deploy-production: grace-too-short",
  ]);
});

test("a configuration that the consumer refuses is an error of its job", async () => {
  const repository = await changed(
    "config/development-config.yaml",
    (text) => `${text}\ntypo: 1\n`,
  );
  expect(await errors(repository)).toEqual(["component: bad-configuration"]);
});

test("an unreadable file is one error for both jobs, with the value, and hides no acknowledgement", async () => {
  const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
    text.replace(/^template: .*$/m, "template: 7"),
  );
  expect(await errors(repository)).toEqual(["component, deploy-production: unreadable"]);
  const [finding] = await preflight(repository);
  expect(finding?.message).toMatch(/^omega\.yaml: template: .*, got 7$/);
});

test("a job that cannot be read does not keep the other from being checked", async () => {
  const repository = await changed("config/development-config.yaml", (text) => text);
  await rm(join(repository, "deploy_target/pvc-nonprod.yaml"));
  expect(await errors(repository)).toEqual(["component: unreadable"]);
  expect(await preflight(repository)).toContainEqual(
    expect.objectContaining({ severity: "warning", place: "deploy-production" }),
  );
});

describe("what an API server would refuse is an error", () => {
  test.each([
    ["nonprod: 2Gi", "nonprod: 500K", /limits\.memory\.nonprod: must be a quantity .*, got "500K"/],
    [
      "nonprod: 1Gi",
      "nonprod: 3Gi",
      /Deployment kafka-consumer: .*resources\.requests\[memory\]: must be at most the limit of 2Gi, got 3Gi/,
    ],
    ["maxSurge: 1", "maxSurge: 0", /rollingUpdate\.maxUnavailable: must not be 0 .*, got 0/],
    ["maxSurge: 1", 'maxSurge: "1"', /rollingUpdate\.maxSurge: must be .*, got "1"/],
    ["maxUnavailable: 0", "maxUnavailable: 101%", /maxUnavailable: must be at most 100%, got 101%/],
    [
      '  HEALTH_PORT: "8080"',
      "  POD_NAME: a",
      /env\[\d+\]\.name: must not be there twice, got POD_NAME/,
    ],
    ["mountPath: /tmp", "mountPath: /app/config", /mountPath: must not be there twice, got \/app/],
    ["name: tmp", "name: athenz", /volumes\[\d\]\.name: must not be there twice, got athenz/],
    ['HEALTH_PORT: "8080"', 'HEALTH_PORT: "0"', /containerPort: must be .* 1 to 65535, got 0/],
    ["runAsUser: 10001", "runAsUser: 4294967296", /runAsUser: .*4294967296/],
  ])("%s -> %s", async (right, wrong, message) => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text.replace(right, wrong),
    );
    const found = (await preflight(repository, "component")).filter(
      ({ severity }) => severity === "error",
    );
    expect(found.map((finding) => finding.message).join("\n")).toMatch(message);
  });

  test.each([
    ["storage: 1Gi", "storage: 0", /requests\[storage\]: must be a quantity above 0 .*, got 0/],
    ["storage: 1Gi", "storage: 1GB", /requests\[storage\]: must be a quantity above 0 .*, got 1GB/],
    ["- ReadWriteMany", "[]", /accessModes: must name a mode, got \[\]/],
    ["storageClassName: efs-default", "storageClassName: EFS", /must be a DNS subdomain, got EFS/],
  ])("of the claim: %s -> %s", async (right, wrong, message) => {
    const repository = await changed("deploy_target/pvc-nonprod.yaml", (text) =>
      text.replace(right, wrong),
    );
    const found = await preflight(repository, "component");
    expect(found.map((finding) => finding.message).join("\n")).toMatch(message);
  });

  test("and an accepted value is no error", async () => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text
        .replace("nonprod: 2Gi", 'nonprod: "2147e6"')
        .replace("nonprod: 500m", "nonprod: .5")
        .replace("nonprod: 1Gi", "nonprod: 129e6")
        .replace("maxUnavailable: 0", "maxUnavailable: 0%"),
    );
    expect(await errors(repository)).toEqual([]);
  });

  test("fractions of a byte are accepted with a warning", async () => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text.replace("nonprod: 2Gi", "nonprod: 512m").replace("nonprod: 1Gi", "nonprod: 128m"),
    );
    expect(await errors(repository)).toEqual([]);
    expect(await preflight(repository)).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        rule: "fraction-of-a-byte",
        message: expect.stringContaining("limits.memory is 512m"),
      }),
    );
  });
});

describe("a variable with a wrong value is an error of both jobs", () => {
  test.each([
    ['PRESTOP_TIMEOUT_SECONDS: "60"', 'PRESTOP_TIMEOUT_SECONDS: "1m"', "not-seconds"],
    ['PRESTOP_TIMEOUT_SECONDS: "60"', 'PRESTOP_TIMEOUT_SECONDS: "-5"', "not-seconds"],
    ['CERT_WAIT_SECONDS: "300"', 'CERT_WAIT_SECONDS: "5m"', "not-seconds"],
    ['CERT_POLL_SECONDS: "5"', 'CERT_POLL_SECONDS: "0"', "not-seconds"],
    ['CERT_POLL_SECONDS: "5"', 'PRESTOP_POLL_SECONDS: "0x1"', "not-seconds"],
    ['UV_THREADPOOL_SIZE: "64"', 'UV_THREADPOOL_SIZE: "1025"', "not-threads"],
    ['HEALTH_PORT: "8080"', 'HEALTH_PORT: "80a"', "bad-configuration"],
    ["env:\n", "env:\n  LOG_LEVEL: loud\n", "bad-configuration"],
  ])("%s -> %s", async (right, wrong, rule) => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text.replace(right, wrong),
    );
    expect(await errors(repository)).toEqual(
      expect.arrayContaining([`component: ${rule}`, `deploy-production: ${rule}`]),
    );
  });

  test("a wrong preStop budget does not switch off the check of the drain", async () => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text.replace('PRESTOP_TIMEOUT_SECONDS: "60"', 'PRESTOP_TIMEOUT_SECONDS: "1m"'),
    );
    const path = join(repository, "config/development-config.yaml");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/^( *)drainMs: \d+$/m, "$1drainMs: 59000"));
    expect(await errors(repository)).toContain("component: drain-too-long");
  });

  test("an empty variable counts as not set: the default applies", async () => {
    const repository = await changed("deploy_target/omega/omega.yaml", (text) =>
      text.replace('PRESTOP_TIMEOUT_SECONDS: "60"', 'PRESTOP_TIMEOUT_SECONDS: ""'),
    );
    expect(await errors(repository)).toEqual([]);
  });
});
