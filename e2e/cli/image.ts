import { parseArgs } from "node:util";
import { messageOf } from "#consumer/errors.ts";
import { ENGINES, findEngine } from "#kind/engine.ts";
import type { Engine } from "#kind/engine.ts";
import { buildImage, IMAGES } from "#kind/images.ts";
import type { BuiltImage, ImageKind } from "#kind/images.ts";
import { EXIT_CODE, UsageError } from "#e2e/errors.ts";
import type { ExitCode } from "#e2e/errors.ts";
import { listenForInterrupts, watchOutput } from "./interruption.ts";

const USAGE = `Usage: npm run image -- [options]

Builds the images of the consumer and of the simulators from this checkout, and prints name, id and size of each.

Options
  --engine docker|podman  default: the first that answers
  --base-image NAME       Node 24 on Debian, where its own cannot be pulled (default node:24-bookworm-slim)
  --tag TAG               default local
  --only consumer|simulators
  --verbose               what the engine prints

Exit codes: 0 built, 2 usage, 4 the engine failed, 130 interrupted
`;

interface ImageArguments {
  readonly engine: Engine | undefined;
  readonly baseImage: string | undefined;
  readonly tag: string | undefined;
  readonly kinds: readonly ImageKind[];
  readonly verbose: boolean;
}

const KINDS: readonly ImageKind[] = ["consumer", "simulators"];

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<ExitCode> {
  const signal = listenForInterrupts(watchOutput());
  try {
    const chosen = parse(argv);
    if (chosen === "help") {
      process.stdout.write(USAGE);
      return EXIT_CODE.passed;
    }
    const engine = chosen.engine ?? (await findEngine({ signal }));
    for (const kind of chosen.kinds) {
      process.stderr.write(`${engine} builds ${IMAGES[kind].name} ...\n`);
      const built = await buildImage(kind, {
        engine,
        tag: chosen.tag,
        baseImage: chosen.baseImage,
        signal,
        ...(chosen.verbose && { onLine: (line: string) => process.stderr.write(`${line}\n`) }),
      });
      process.stdout.write(describe(built));
    }
    return EXIT_CODE.passed;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`${messageOf(error)}\n`);
    if (isUsage) process.stderr.write("npm run image -- --help shows the usage\n");
    if (signal.aborted) return EXIT_CODE.interrupted;
    return isUsage ? EXIT_CODE.usage : EXIT_CODE.infrastructure;
  }
}

function parse(argv: readonly string[]): ImageArguments | "help" {
  const values = parseValues(argv);
  if (values.help === true) return "help";
  return {
    engine: values.engine === undefined ? undefined : oneOf("engine", values.engine, ENGINES),
    baseImage: values["base-image"],
    tag: values.tag,
    kinds: values.only === undefined ? KINDS : [oneOf("only", values.only, KINDS)],
    verbose: values.verbose === true,
  };
}

function parseValues(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        engine: { type: "string" },
        "base-image": { type: "string" },
        tag: { type: "string" },
        only: { type: "string" },
        verbose: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

function oneOf<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new UsageError(`--${option} must be one of ${choices.join(", ")}, got ${value}`);
  }
  return choice;
}

/**
 * Returns a line such as `localhost/kafka_consumer:local sha256:0123456789ab 405 MB, 14 MB over node:24-bookworm-slim`.
 */
function describe({ name, id, bytes, ownBytes, baseImage }: BuiltImage): string {
  return `${name} ${id.slice(0, 19)} ${megabytes(bytes)}, ${megabytes(ownBytes)} over ${baseImage}\n`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
