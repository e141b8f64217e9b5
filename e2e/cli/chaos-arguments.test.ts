import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseInvocation } from "./arguments.ts";
import { DEFAULT_LOAD } from "#e2e/chaos/load-plan.ts";
import { UsageError } from "#e2e/errors.ts";

const parse = (argv: string[]) => parseInvocation(argv, {}, () => 7);

function file(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "chaos-arguments-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "load.json");
  writeFileSync(path, text);
  return path;
}

const PLACE = {
  target: "local",
  kind: { cluster: null, engine: null, nodeImage: null, baseImage: null, image: null },
  kubernetes: null,
  broker: { kind: "embedded" },
  keep: "on-failure",
  artifacts: "artifacts",
  junit: null,
  jobs: null,
};

describe("chaos", () => {
  test("runs one schedule of 20 steps on two pods unless it is told otherwise", () => {
    expect(parse(["chaos"])).toEqual({
      command: "chaos",
      chaos: {
        ...PLACE,
        seed: 7,
        steps: 20,
        durationMs: null,
        runs: 1,
        untilFailure: false,
        shrink: true,
        requireCoverage: false,
        faults: [],
        load: DEFAULT_LOAD,
        replicas: 2,
        partitions: 4,
        prove: null,
      },
    });
  });

  test.each([
    [["--duration", "90s"], { durationMs: 90_000, runs: null }],
    [["--duration", "30m"], { durationMs: 1_800_000 }],
    [["--duration", "1h", "--runs", "3"], { durationMs: 3_600_000, runs: 3 }],
    [["--until-failure"], { untilFailure: true, runs: null }],
    [["--faults", "pod, broker.outage,pod"], { faults: ["pod", "broker.outage"] }],
    [["--load", "recordsMax=5,poisonShare=0"], { load: { recordsMax: 5, poisonShare: 0 } }],
    [["--prove"], { prove: [] }],
    [["--prove", "claim-after-send", "a,b"], { prove: ["claim-after-send", "a", "b"] }],
    [["--target", "kind", "--image", "i", "--broker", "kafka"], { target: "kind" }],
    [
      ["--seed", "0", "--steps", "3", "--replicas", "3", "--partitions", "6"],
      { seed: 0, steps: 3 },
    ],
  ])("takes %j", (argv, chaos) => {
    expect(parse(["chaos", ...argv])).toMatchObject({ command: "chaos", chaos });
  });

  test("takes the load from a file", () => {
    const path = file('{"incidentsPerSecond": 50, "repeatShare": 0}');
    expect(parse(["chaos", "--load", path])).toMatchObject({
      chaos: { load: { ...DEFAULT_LOAD, incidentsPerSecond: 50, repeatShare: 0 } },
    });
  });

  test.each([
    ["[]", "must hold a JSON object, got []"],
    ["{", "JSON"],
    ['{"recordsMax": 1, "recordsMax": 2}', "the key recordsMax occurs twice"],
    ['{"recordsMax": 0, "rate": 1}', "recordsMax must be a whole number from 1 to 1000000, got 0"],
    ['{"recordsMax": 0, "rate": 1}', "rate is unknown; known: incidentsPerSecond, recordsMax"],
    ['{"poisonShare": "0"}', 'poisonShare must be a number from 0 to 1, got "0"'],
  ])("refuses a file of the load with %s", (text, message) => {
    const path = file(text);
    const act = () => parse(["chaos", "--load", path]);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(message);
    expect(act).toThrow(path);
  });

  test.each([
    [["--duration", "0s"], "--duration must be a whole number of seconds, minutes or hours"],
    [["--duration", "90"], "such as 90s, 30m or 1h, up to 168h, got 90"],
    [["--duration", "169h"], "got 169h"],
    [["--duration", ""], 'got ""'],
    [["--steps", "0"], "--steps must be a whole number from 1 to 1000, got 0"],
    [["--runs", "x"], "--runs must be a whole number from 1 to 1000000, got x"],
    [["--replicas", "10"], "--replicas must be a whole number from 1 to 9, got 10"],
    [["--partitions", "0"], "--partitions must be a whole number from 1 to 100, got 0"],
    [["--seed", "-1"], "--seed must be a whole number from 0 to 4294967295, got -1"],
    [["--seed", "--runs", "2"], "--seed needs a value, got --runs"],
    [["--duration"], "--duration needs a value, got nothing"],
    [["--faults", "pod,,broker"], "--faults must be names separated by commas, got pod,,broker"],
    [["--faults", ""], '--faults must be names separated by commas, got ""'],
    [["--load", ""], '--load needs a value, got ""'],
    [["--load", "/no/such"], "--load /no/such: ENOENT"],
    [["--load", "rate=1"], "--load rate is unknown; known: incidentsPerSecond"],
    [["--load", "recordsMax=1.5"], "recordsMax must be a whole number from 1 to 1000000, got 1.5"],
    [
      ["--load", "recordsMax=1e3"],
      'recordsMax must be a whole number from 1 to 1000000, got "1e3"',
    ],
    [["--load", "recordsMax=1,recordsMax=2"], "--load recordsMax is given twice"],
    [["--load", "recordsMax=1,"], '--load must be a file or FIELD=NUMBER,..., got ""'],
    [
      ["--load", "repeatShare=0.5,reopenShare=0.4,poisonShare=0.2"],
      "--load repeatShare + reopenShare + poisonShare is 1.1 and must be at most 1",
    ],
    [
      ["--require-coverage", "--runs", "9"],
      "--require-coverage judges what 10 schedules or more had: " +
        "it needs --duration, --until-failure or --runs 10, got 9 runs",
    ],
    [["--require-coverage"], "got 1 run"],
    [["fast"], "chaos takes names only after --prove, got fast"],
    [["--prove", ""], '--prove needs a value, got ""'],
    [["--prove", "--until-failure"], "--until-failure cannot be used with --prove"],
    [["--prove", "--runs", "2"], "--runs cannot be used with --prove"],
    [["--prove", "--duration", "2m"], "--duration cannot be used with --prove"],
    [["--prove", "--junit", "j.xml"], "--junit cannot be used with --prove"],
    [
      ["--prove", "--target", "kind"],
      "--prove works only with --target local, and the target is kind",
    ],
    [["--scenario", "8"], "--scenario is an option of run, and the command is chaos"],
    [["--real-time"], "--real-time is an option of run, and the command is chaos"],
    [["--times", "2"], "--times is an option of replay, and the command is chaos"],
    [["--image", "a"], "--image is for --target kind or kubernetes, and the target is local"],
  ])("refuses %j", (argv, message) => {
    const act = () => parse(["chaos", ...argv]);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(message);
  });

  test("refuses the options of chaos for other commands", () => {
    expect(() => parse(["--faults", "pod"])).toThrow(
      "--faults is an option of chaos, and the command is run",
    );
    expect(() => parse(["replay", "a", "--seed", "1"])).toThrow(
      "--seed is an option of run and chaos, and the command is replay",
    );
  });
});

describe("replay", () => {
  test("takes a path and the number of runs", () => {
    expect(parse(["replay", "a.json"])).toEqual({
      command: "replay",
      replay: { ...PLACE, path: "a.json", times: 1 },
    });
    expect(parse(["replay", "a", "--times", "5", "--target", "kind"])).toMatchObject({
      replay: { times: 5, target: "kind" },
    });
  });

  test.each([
    [[], "replay takes one schedule or directory of artifacts, got none"],
    [["a", "b"], "replay takes one schedule or directory of artifacts, got a b"],
    [["a", "--times", "0"], "--times must be a whole number from 1 to 1000, got 0"],
    [["a", "--load", "recordsMax=1"], "--load is an option of chaos, and the command is replay"],
  ])("refuses %j", (argv, message) => {
    expect(() => parse(["replay", ...argv])).toThrow(UsageError);
    expect(() => parse(["replay", ...argv])).toThrow(message);
  });
});
