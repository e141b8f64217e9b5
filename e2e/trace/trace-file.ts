import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "#e2e/errors.ts";

const traceSchema = z.strictObject({
  format: z.literal(2),
  /** The id of the scenario, such as `08-sigkill-at-a-barrier`. */
  scenario: z.string(),
  target: z.string(),
  /** Words, or the first of several words, that this target cannot see and that therefore cannot be compared. */
  unseen: z.array(z.string()),
  /** The lives of the pods of each deployment, in the order in which the deployments were opened. */
  deployments: z.array(z.array(z.array(z.string()))),
});

/** The lives of all pods of one scenario that passed. */
export type Trace = Readonly<z.infer<typeof traceSchema>>;

export interface NewTrace {
  readonly scenario: string;
  readonly target: string;
  readonly unseen: readonly string[];
  readonly deployments: readonly (readonly (readonly string[])[])[];
}

const FILE = "lifecycle.json";

/** Writes the trace into the directory of the scenario. */
export async function writeTrace(directory: string, trace: NewTrace): Promise<void> {
  const text = JSON.stringify({ format: 2, ...trace }, null, 2);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, FILE), `${text}\n`);
}

/**
 * Reads the traces of a run, by scenario. Throws UsageError when the directory holds no trace, or one that this version
 * cannot read.
 */
export async function readTraces(artifacts: string): Promise<ReadonlyMap<string, Trace>> {
  const traces = new Map<string, Trace>();
  for (const name of (await directories(artifacts)).toSorted()) {
    const path = join(artifacts, name, FILE);
    const text = await readFile(path, "utf8").catch(() => undefined);
    // A scenario that failed or was skipped has no trace.
    if (text === undefined) continue;
    const trace = parseTrace(text, path);
    traces.set(trace.scenario, trace);
  }
  if (traces.size === 0) {
    throw new UsageError(
      `${artifacts} holds no trace: it must be the directory of the artifacts of one run`,
    );
  }
  return traces;
}

async function directories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (cause) {
    throw new UsageError(`the artifacts of a run cannot be read: ${String(cause)}`, { cause });
  }
}

function parseTrace(text: string, path: string): Trace {
  try {
    return traceSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new UsageError(`${path} is not a trace that this version can read`, { cause });
  }
}
