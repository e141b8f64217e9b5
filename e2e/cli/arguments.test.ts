import { describe, expect, test } from "vitest";
import { parseInvocation } from "./arguments.ts";
import { UsageError } from "#e2e/errors.ts";

const EXTERNAL =
  "--broker external --bootstrap a:1 --bootstrap b:2 --broker-ca ca.pem --broker-user u".split(" ");

const parse = (argv: string[], env = {}) => parseInvocation(argv, env, () => 7);

describe("the command line", () => {
  test("runs everything with the defaults when there are no arguments", () => {
    expect(parse([])).toEqual({
      command: "run",
      run: {
        target: "local",
        kind: { cluster: null, engine: null, nodeImage: null, baseImage: null, image: null },
        kubernetes: null,
        broker: { kind: "embedded" },
        scenarios: [],
        seed: 7,
        keep: "on-failure",
        artifacts: "artifacts",
        junit: null,
        jobs: null,
        realTime: false,
        compare: null,
      },
    });
  });

  test("uses the artifacts directory of Screwdriver unless one is given", () => {
    const env = { SD_ARTIFACTS_DIR: "/sd/artifacts" };
    expect(parse([], env)).toMatchObject({ run: { artifacts: "/sd/artifacts" } });
    expect(parse(["--artifacts", "here"], env)).toMatchObject({ run: { artifacts: "here" } });
    expect(parse([], { SD_ARTIFACTS_DIR: "" })).toMatchObject({ run: { artifacts: "artifacts" } });
  });

  test("accepts an existing broker and the source of its password", () => {
    expect(parse([...EXTERNAL, "--broker-password-env", "V"])).toMatchObject({
      run: {
        broker: {
          kind: "external",
          bootstrap: ["a:1", "b:2"],
          caFile: "ca.pem",
          mechanism: "scram-sha-512",
          user: "u",
          password: { variable: "V" },
        },
      },
    });
  });

  test.each(["../x", "Upper", "a b", "-a", "a".repeat(50)])(
    "refuses a name that no cluster can have: %s",
    (name) => {
      expect(() => parse(["--target", "kind", `--cluster=${name}`])).toThrow(
        "--cluster must be at most 49 lower-case letters, digits, - and ., " +
          `beginning with a letter or digit, got ${name}`,
      );
    },
  );

  test("plays a configuration of the user, by default with the documented incidents as component", () => {
    expect(parse(["--config", "c.yaml"])).toMatchObject({
      run: {
        scenarios: [],
        configuration: {
          file: "c.yaml",
          incidents: ["fixtures/incidents/webhook"],
          job: "component",
        },
      },
    });
    const others = ["--incidents", "a", "--incidents", "b", "--job", "deploy-production"];
    expect(parse(["--config", "c.yaml", ...others])).toMatchObject({
      run: { configuration: { incidents: ["a", "b"], job: "deploy-production" } },
    });
  });

  test.each([
    [["--config", "c", "--job", "prod"], "--job must be one of component, deploy-production, got"],
    [["--job", "component"], "--job needs --config"],
    [["--incidents", "i"], "--incidents needs --config"],
    [["--config", ""], '--config needs a value, got ""'],
    [["chaos", "--config", "c"], "--config is an option of run, and the command is chaos"],
  ])("refuses %j", (argv, message) => {
    expect(() => parse(argv)).toThrow(UsageError);
    expect(() => parse(argv)).toThrow(message);
  });

  test("collects repeated scenarios", () => {
    expect(parse(["run", "--scenario", "8", "--scenario", "rolling-update"])).toMatchObject({
      run: { scenarios: ["8", "rolling-update"] },
    });
  });

  test("accepts an existing cluster with images that it can pull", () => {
    const images = ["--image", "b", "--simulators-image", "c"];
    expect(parse(["--target", "kubernetes", "--context", "a", ...images])).toMatchObject({
      run: {
        target: "kubernetes",
        kubernetes: { context: "a", image: "b", simulatorsImage: "c" },
      },
    });
  });

  test("compares two runs by their artifacts", () => {
    expect(parse(["compare", "a", "b"])).toEqual({ command: "compare", runs: ["a", "b"] });
    expect(parse(["--compare", "a"])).toMatchObject({ run: { compare: "a" } });
  });

  test.each([
    [["compare", "a"], "compare takes two directories, got 1"],
    [["compare", "a", "b", "--seed", "1"], "compare takes no options, got --seed"],
    [["--target", "kubernetes"], "--target kubernetes needs --context"],
    [["--target", "kubernetes", "--context", "a", "--image", "b"], "needs --simulators-image"],
    [["--image", "a"], "--image is for --target kind or kubernetes, and the target is local"],
    [
      ["--target", "kind", "--context", "a"],
      "--context is for --target kubernetes, and the target",
    ],
    [["--node-image", "a"], "--node-image is for --target kind, and the target is local"],
    [["--target", "kind", "--engine", "lxc"], "--engine must be one of docker, podman, got lxc"],
    [["--target", "kind", "--image", ""], '--image needs a value, got ""'],
    [
      ["--broker", "rabbit"],
      "--broker must be one of embedded, kafka, redpanda, external, got rabbit",
    ],
    [
      ["--broker-image", "a"],
      "--broker-image is for --broker kafka and redpanda, and the broker is embedded",
    ],
    [
      ["--broker", "kafka", "--bootstrap", "a:1"],
      "--bootstrap is for --broker external, and the broker is kafka",
    ],
    [["--broker", "external"], "--broker external needs --bootstrap HOST:PORT"],
    [
      ["--broker", "external", "--bootstrap", "localhost"],
      "--bootstrap must be HOST:PORT, got localhost",
    ],
    [["--broker", "external", "--bootstrap", "a:1"], "--broker external needs --broker-ca"],
    [
      [...EXTERNAL, "--broker-mechanism", "plain"],
      "--broker-mechanism must be one of scram-sha-512, got plain",
    ],
    [EXTERNAL, "needs one of --broker-password-file and --broker-password-env"],
    [
      [...EXTERNAL, "--broker-password-file", "f", "--broker-password-env", "V"],
      "needs one of --broker-password-file and --broker-password-env",
    ],
    [["fly"], "unknown command fly"],
    [["run", "list"], "only one command is allowed"],
    [["list", "--seed", "1"], "list takes no options, got --seed"],
    [["--seed", "-1"], "--seed"],
    [
      ["--seed", "4294967296"],
      "--seed must be a whole number from 0 to 4294967295, got 4294967296",
    ],
    [["--jobs", "0"], "--jobs must be a whole number from 1 to 64, got 0"],
    [["--keep", "maybe"], "--keep must be one of on-failure, always, never, got maybe"],
    [["--scenario", ""], '--scenario needs a value, got ""'],
    [["--artifacts", " "], "--artifacts needs a value"],
    [["--no-such"], "--no-such"],
  ])("refuses %j", (argv, message) => {
    expect(() => parse(argv)).toThrow(UsageError);
    expect(() => parse(argv)).toThrow(message);
  });
});
