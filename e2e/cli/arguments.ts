import { parseArgs } from "node:util";
import {
  CHAOS_OPTIONS,
  chaosArguments,
  REPLAY_OPTIONS,
  replayArguments,
} from "./chaos-arguments.ts";
import type { ChaosArguments, ReplayArguments } from "#e2e/chaos/chaos-arguments.ts";
import { COMMON_OPTIONS, commonArguments } from "./common-arguments.ts";
import type { RunArguments } from "#e2e/base/run-arguments.ts";
import { UsageError } from "#e2e/errors.ts";
import { filled, oneOf, usageError, whole, withNegativeValues } from "./option-values.ts";

export type Invocation =
  | { readonly command: "run"; readonly run: RunArguments }
  | { readonly command: "chaos"; readonly chaos: ChaosArguments }
  | { readonly command: "replay"; readonly replay: ReplayArguments }
  | { readonly command: "compare"; readonly runs: readonly [string, string] }
  | { readonly command: "doctor" | "list" | "clean" | "help" };

type Environment = Readonly<Record<string, string | undefined>>;

/** The options that each command takes. */
const OPTIONS = {
  run: {
    ...COMMON_OPTIONS,
    scenario: { type: "string", multiple: true },
    seed: { type: "string" },
    "real-time": { type: "boolean" },
    compare: { type: "string" },
    config: { type: "string" },
    incidents: { type: "string", multiple: true },
    job: { type: "string" },
  },
  chaos: { ...COMMON_OPTIONS, ...CHAOS_OPTIONS, seed: { type: "string" } },
  replay: { ...COMMON_OPTIONS, ...REPLAY_OPTIONS },
} as const;

/** Parses the command line. Throws UsageError that names the option, the rule and the value. */
export function parseInvocation(
  argv: readonly string[],
  env: Environment,
  randomSeed: () => number,
): Invocation {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { command: "help" };
  const [command = "run", ...rest] = positionals;
  if (command === "compare") return { command, runs: comparedRuns(rest, values) };
  const seed = (): number =>
    values.seed === undefined ? randomSeed() : whole("seed", values.seed, 0, 2 ** 32 - 1);
  if (command === "chaos") {
    refuseOfOtherCommand(command, values);
    return { command, chaos: chaosArguments(values, rest, env, seed()) };
  }
  if (command === "replay") {
    refuseOfOtherCommand(command, values);
    return { command, replay: replayArguments(values, rest, env) };
  }
  if (rest.length > 0) {
    throw new UsageError(`only one command is allowed, but got also: ${rest.join(" ")}`);
  }
  if (command === "help") return { command };
  if (command === "doctor" || command === "list" || command === "clean") {
    const extra = Object.keys(values);
    if (extra.length > 0) throw new UsageError(`${command} takes no options, got --${extra[0]}`);
    return { command };
  }
  if (command !== "run") {
    throw new UsageError(
      `unknown command ${command}; the commands are run, chaos, replay, compare, list, doctor and clean`,
    );
  }
  refuseOfOtherCommand(command, values);
  return { command, run: runArguments(values, env, seed()) };
}

type Values = ReturnType<typeof parse>["values"];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: withNegativeValues(argv),
      allowPositionals: true,
      strict: true,
      options: {
        ...OPTIONS.run,
        ...OPTIONS.chaos,
        ...OPTIONS.replay,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw usageError(error, argv);
  }
}

function refuseOfOtherCommand(command: keyof typeof OPTIONS, values: Values): void {
  for (const option of Object.keys(values)) {
    if (Object.hasOwn(OPTIONS[command], option)) continue;
    const owners = Object.entries(OPTIONS).filter(([, options]) => Object.hasOwn(options, option));
    const wanted = owners.map(([name]) => name).join(" and ");
    throw new UsageError(`--${option} is an option of ${wanted}, and the command is ${command}`);
  }
}

function runArguments(values: Values, env: Environment, seed: number): RunArguments {
  return {
    ...commonArguments(values, env),
    scenarios: (values.scenario ?? []).map((text) => filled("scenario", text)),
    seed,
    realTime: values["real-time"] === true,
    compare: filled("compare", values.compare) ?? null,
    ...configurationArguments(values),
  };
}

const WEBHOOK_INCIDENTS = "fixtures/incidents/webhook";

function configurationArguments({
  config,
  incidents,
  job,
}: Values): Pick<RunArguments, "configuration"> {
  const file = filled("config", config);
  if (file !== undefined) {
    const paths = (incidents ?? [WEBHOOK_INCIDENTS]).map((path) => filled("incidents", path));
    const chosen = oneOf("job", job, ["component", "deploy-production"]);
    return { configuration: { file, incidents: paths, job: chosen } };
  }
  if (incidents !== undefined) throw new UsageError("--incidents needs --config");
  if (job !== undefined) throw new UsageError("--job needs --config");
  return {};
}

function comparedRuns(directories: readonly string[], values: Values): readonly [string, string] {
  const [option] = Object.keys(values);
  if (option !== undefined) throw new UsageError(`compare takes no options, got --${option}`);
  const [left, right, ...more] = directories;
  if (left === undefined || right === undefined || more.length > 0) {
    throw new UsageError(`compare takes two directories, got ${directories.length}`);
  }
  return [left, right];
}
