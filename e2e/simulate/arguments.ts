import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { stepsOf } from "#simulator/model/simulate.ts";
import { UsageError } from "#e2e/errors.ts";
import { filled, usageError, whole, withNegativeValues } from "#e2e/cli/option-values.ts";

export interface SimulateArguments {
  readonly runs: number;
  /** The seed of the first run, an unsigned 32-bit integer. */
  readonly seed: number;
  /** The number of threads. */
  readonly jobs: number;
  /**
   * The numbers of the steps to play, ascending, when there is one run; null plays all steps of all
   * runs.
   */
  readonly steps: readonly number[] | null;
  /** Searches for fewer steps with which the first failing run still fails. */
  readonly shrink: boolean;
}

export const SIMULATE_USAGE = `usage: npm run simulate -- [OPTIONS]
  --runs N          how many runs (default 1000)
  --seed N          0 to 4294967295, of the first run (default: a random one, printed)
  --jobs N          how many threads (default: one for each processor)
  --steps LIST      plays one run with these of its steps alone, such as 3,17,40, or none (needs --seed)
  --no-shrink       do not look for fewer steps behind the first run that fails
`;

const RUNS = 1000;
const RUNS_MAX = 1_000_000_000;
const JOBS_MAX = 256;
const SEED_MAX = 2 ** 32 - 1;

/**
 * Parses the options of `npm run simulate`. Returns undefined when help is asked for. Throws
 * UsageError.
 */
export function simulateArguments(argv: readonly string[]): SimulateArguments | undefined {
  const values = parse(argv);
  if (values.help === true) return undefined;
  const number = (option: "runs" | "seed" | "jobs", min: number, max: number) => {
    const text = filled(option, values[option]);
    return text === undefined ? undefined : whole(option, text, min, max);
  };
  const runs = number("runs", 1, RUNS_MAX);
  const seed = number("seed", 0, SEED_MAX);
  const jobs = number("jobs", 1, JOBS_MAX) ?? Math.min(availableParallelism(), JOBS_MAX);
  const shrink = values["no-shrink"] !== true;
  if (values.steps === undefined) {
    const random = Math.floor(Math.random() * (SEED_MAX + 1));
    return { runs: runs ?? RUNS, seed: seed ?? random, jobs, steps: null, shrink };
  }
  if (seed === undefined) throw new UsageError("--steps needs --seed: they are steps of one run");
  if ((runs ?? 1) !== 1) throw new UsageError(`--runs must be 1 with --steps, got ${runs}`);
  return { runs: 1, seed, jobs: 1, steps: stepList(values.steps, seed), shrink: false };
}

/** Returns the value of `--steps` that plays these steps again. */
export function stepText(steps: readonly number[]): string {
  return steps.length === 0 ? NO_STEPS : steps.join(",");
}

const NO_STEPS = "none";

function stepList(text: string, seed: number): readonly number[] {
  if (text === NO_STEPS) return [];
  const last = stepsOf(seed);
  const seen = new Set<number>();
  for (const item of text.split(",")) {
    const number = /^\d{1,15}$/.test(item.trim()) ? Number(item) : Number.NaN;
    if (!(number >= 1 && number <= last)) {
      const rule = `must be numbers from 1 to ${last}, the steps of the run with seed ${seed}, or none`;
      throw new UsageError(`--steps ${rule}, got ${JSON.stringify(item)}`);
    }
    if (seen.has(number)) {
      throw new UsageError(`--steps must name each step once, got ${number} twice`);
    }
    seen.add(number);
  }
  return [...seen].toSorted((one, other) => one - other);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: withNegativeValues(argv),
      options: {
        runs: { type: "string" },
        seed: { type: "string" },
        jobs: { type: "string" },
        steps: { type: "string" },
        "no-shrink": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw usageError(error, argv);
  }
}
