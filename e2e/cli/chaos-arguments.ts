import { readFileSync } from "node:fs";
import { messageOf } from "#consumer/errors.ts";
import { repeatedKeys } from "#fixtures/json-keys.ts";
import { DEFAULT_LOAD, loadPlan, parseLoadPairs } from "#e2e/chaos/load-plan.ts";
import {
  COVERAGE_SCHEDULES_MIN,
  PARTITIONS_MAX,
  REPLICAS_MAX,
  STEPS_MAX,
} from "#e2e/chaos/schedule-limits.ts";
import type { ChaosArguments, ReplayArguments } from "#e2e/chaos/chaos-arguments.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import { UsageError } from "#e2e/errors.ts";
import { filled, whole } from "./option-values.ts";
import { commonArguments } from "./common-arguments.ts";
import type { CommonValues } from "./common-arguments.ts";
import { isJsonObject } from "#consumer/json.ts";

export const CHAOS_USAGE = `Options of chaos
  --duration TIME         begin no schedule after TIME, such as 90s, 30m or 1h
  --runs N                the number of schedules (default 1; unlimited with --duration or
                          --until-failure)
  --steps N               the number of steps of each schedule (default 20)
  --seed N                the seed of the first schedule, 0 to 4294967295 (default: a random one,
                          which is printed)
  --faults LIST           use only these faults, by name or family, such as pod,broker.outage
                          (default: all faults of which target and broker are capable)
  --load FILE|FIELD=NUMBER,...
                          the load: a JSON file, or fields such as incidentsPerSecond=50
  --replicas N            the number of pods (default 2)
  --partitions N          the number of partitions of the incident topic (default 4)
  --until-failure         end after the first schedule that fails
  --no-shrink             do not search for a smaller schedule that fails like the first one
  --require-coverage      exit code 4 when ten schedules or more had a fault, a held moment, or a pair of
                          both, and none of them fired
  --prove [NAME...]       prove the checkers instead: plant each fault (or those named) in a copy of
                          the consumer and run until the checker finds it (target local)

Options of replay
  --times N               the number of runs, one after the other (default 1)
`;

export const CHAOS_OPTIONS = {
  duration: { type: "string" },
  runs: { type: "string" },
  steps: { type: "string" },
  faults: { type: "string" },
  load: { type: "string" },
  replicas: { type: "string" },
  partitions: { type: "string" },
  "until-failure": { type: "boolean" },
  "no-shrink": { type: "boolean" },
  "require-coverage": { type: "boolean" },
  prove: { type: "boolean" },
} as const;

export const REPLAY_OPTIONS = { times: { type: "string" } } as const;

type ChaosValues = CommonValues & {
  readonly [Name in keyof typeof CHAOS_OPTIONS]?:
    | ((typeof CHAOS_OPTIONS)[Name]["type"] extends "boolean" ? boolean : string)
    | undefined;
};

const STEPS = 20;
const REPLICAS = 2;
const PARTITIONS = 4;
const RUNS_MAX = 1_000_000;
const DURATION_MS_MAX = 7 * 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads the options of the command chaos. `seed` was given or drawn at random. `names` are the positional arguments
 * after the command.
 */
export function chaosArguments(
  values: ChaosValues,
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  seed: number,
): ChaosArguments {
  const prove = proveNames(values, names);
  const durationMs = values.duration === undefined ? null : duration(values.duration);
  const untilFailure = values["until-failure"] === true;
  const isBounded = durationMs !== null || untilFailure;
  const number = (
    option: "runs" | "steps" | "replicas" | "partitions",
    max: number,
  ): number | undefined => {
    const text = values[option];
    return text === undefined ? undefined : whole(option, text, 1, max);
  };
  const runs = number("runs", RUNS_MAX) ?? (isBounded ? null : 1);
  const requireCoverage = values["require-coverage"] === true;
  if (requireCoverage && prove === null && runs !== null && runs < COVERAGE_SCHEDULES_MIN) {
    throw new UsageError(
      `--require-coverage judges what ${COVERAGE_SCHEDULES_MIN} schedules or more had: ` +
        `it needs --duration, --until-failure or --runs ${COVERAGE_SCHEDULES_MIN}, ` +
        `got ${runs === 1 ? "1 run" : `${runs} runs`}`,
    );
  }
  return {
    ...commonArguments(values, env),
    seed,
    steps: number("steps", STEPS_MAX) ?? STEPS,
    durationMs,
    runs,
    untilFailure,
    shrink: values["no-shrink"] !== true,
    requireCoverage,
    faults: faultList(values.faults),
    load: load(values.load),
    replicas: number("replicas", REPLICAS_MAX) ?? REPLICAS,
    partitions: number("partitions", PARTITIONS_MAX) ?? PARTITIONS,
    prove,
  };
}

export function replayArguments(
  values: CommonValues & { readonly times?: string | undefined },
  paths: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ReplayArguments {
  const [path, ...more] = paths;
  if (path === undefined || path.trim() === "" || more.length > 0) {
    throw new UsageError(
      `replay takes one schedule or directory of artifacts, got ${paths.join(" ") || "none"}`,
    );
  }
  return {
    ...commonArguments(values, env),
    path,
    times: values.times === undefined ? 1 : whole("times", values.times, 1, 1000),
  };
}

/** Converts a duration such as `90s` to milliseconds (90000). */
function duration(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9})([smh])$/.exec(text) ?? [];
  const durationMs = Number(count) * (UNIT_MS[unit] ?? 0);
  if (durationMs > 0 && durationMs <= DURATION_MS_MAX) return durationMs;
  throw new UsageError(
    "--duration must be a whole number of seconds, minutes or hours such as 90s, 30m or 1h, up to 168h, " +
      `got ${text || '""'}`,
  );
}

function faultList(text: string | undefined): string[] {
  if (text === undefined) return [];
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) {
    throw new UsageError(`--faults must be names separated by commas, got ${text || '""'}`);
  }
  return [...new Set(names)];
}

function load(value: string | undefined): LoadPlan {
  if (value === undefined) return DEFAULT_LOAD;
  filled("load", value);
  if (value.includes("=")) return parseLoadPairs(value, "--load");
  const place = `--load ${value}`;
  const given = readObject(value, place);
  return loadPlan(given, place);
}

function readObject(path: string, place: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    // Some editors begin a file with a byte order mark, which is invisible.
    const text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
    value = JSON.parse(text);
    const [repeated] = repeatedKeys(text);
    if (repeated !== undefined) throw new SyntaxError(`the key ${repeated} occurs twice`);
  } catch (error) {
    throw new UsageError(`${place}: ${messageOf(error)}`, { cause: error });
  }
  if (isJsonObject(value)) return value;
  throw new UsageError(`${place} must hold a JSON object, got ${JSON.stringify(value)}`);
}

/** Options that --prove refuses, since each planted fault is run alone until it is found. */
const NOT_WITH_PROVE = ["until-failure", "require-coverage", "runs", "duration", "junit"] as const;

function proveNames(values: ChaosValues, names: readonly string[]): readonly string[] | null {
  if (values.prove !== true) {
    if (names.length === 0) return null;
    throw new UsageError(`chaos takes names only after --prove, got ${names.join(" ")}`);
  }
  const other = NOT_WITH_PROVE.find((option) => values[option] !== undefined);
  if (other !== undefined) throw new UsageError(`--${other} cannot be used with --prove`);
  if ((values.target ?? "local") !== "local") {
    throw new UsageError(
      `--prove works only with --target local, and the target is ${values.target}`,
    );
  }
  return [
    ...new Set(names.flatMap((name) => name.split(",")).map((name) => filled("prove", name))),
  ];
}
