import { createHash } from "node:crypto";
import { z } from "zod";

import { ConsumerError } from "./errors.ts";
import type { Clock, Files } from "./ports.ts";
import { createWriteOnceFiles, readWriteOnce } from "./write-once.ts";

/** How often a rule may run, whatever the number of pods and incidents. */
export interface RunLimits {
  /** Milliseconds between two runs of the rule, at least. Default: none. */
  readonly coolDownMs?: number | undefined;
  /** Runs of the rule within any 3600 s, at most. Default: no limit. */
  readonly runsPerHourMax?: number | undefined;
}

/** One run of a rule: all its actions for one transition of one episode of an incident. */
interface LimitedRun {
  readonly rule: string;
  readonly incidentId: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly limits: RunLimits;
}

type Admission =
  | { readonly admitted: true }
  /** `detail` names the limit, for the dead letter. */
  | { readonly admitted: false; readonly detail: string };

export interface RunAdmissions {
  /**
   * Decides once and for all: whoever asks again, in whatever pod, hears the same. Tries once; errors are the
   * volume's, or "history-unreadable", and leave it undecided.
   */
  admit(run: LimitedRun): Promise<Admission>;
}

export interface RunAdmissionsOptions {
  readonly files: Files;
  readonly clock: Clock;
  /** Unique to this run of this process, on this volume: begins the names of temporary files. */
  readonly writer: string;
  /** For people. */
  readonly pod: string;
  /** Nothing older begins, so what was decided about it is forgotten. */
  readonly eventAgeMsMax: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DIRECTORY = "limits";

const runSchema = z.object({
  format: z.literal(1),
  /** Names the run, as its decision does. */
  run: z.string(),
  atMs: z.number(),
  pod: z.string(),
});
const decisionSchema = z.object({
  format: z.literal(1),
  admitted: z.boolean(),
  detail: z.string(),
});

/**
 * The runs of a rule are a chain of files that are written once, `limits/<sha256 of rule>/<n>.run`: a run is admitted
 * by linking the next name, so the file server lets one pod at a time through, and the limits are judged against the
 * links before. Their times are those of the pods' clocks, so the limits hold up to the skew between them.
 */
export function createRunAdmissions(options: RunAdmissionsOptions): RunAdmissions {
  const { files, clock, writer, pod, eventAgeMsMax } = options;
  const writeOnce = createWriteOnceFiles(files, `${writer}.limits`);

  const decide = async (
    directory: string,
    names: readonly string[],
    name: string,
    limits: RunLimits,
  ): Promise<Admission> => {
    // A listing may leave out fresh names: it only says where to begin.
    let last = names.reduce((highest, listed) => Math.max(highest, numberOf(listed)), 0);
    for (;;) {
      const next = await writeOnce.read(runSchema, runPath(directory, last + 1));
      if (next?.run === name) return { admitted: true };
      if (next) {
        last += 1;
        continue;
      }
      const atMs = clock.wallMs();
      const recent = await judge(files, directory, last, name, limits, atMs);
      if (recent) return recent;
      if (await writeOnce.link(runPath(directory, last + 1), { format: 1, run: name, atMs, pod }))
        break;
    }
    await files.syncDirectory(directory);
    return { admitted: true };
  };

  return {
    async admit({ limits, ...run }) {
      const directory = `${DIRECTORY}/${sha256(run.rule)}`;
      await files.makeDirectory(directory);
      const day = Math.floor(run.startedOnMs / DAY_MS);
      const name = sha256(
        JSON.stringify([run.rule, run.incidentId, run.transition, run.startedOnMs]),
      );
      const path = `${directory}/${day}.${name}.decision`;
      const decided = await writeOnce.read(decisionSchema, path);
      if (decided) return admissionOf(decided);
      const names = await files.list(directory);
      const admission = await decide(directory, names, name, limits);
      const detail = admission.admitted ? "" : admission.detail;
      const { admitted } = admission;
      if (await writeOnce.link(path, { format: 1, admitted, detail })) {
        await files.syncDirectory(directory);
        // With every decision, so that more go than come, of a rule that is nearly always suppressed too.
        await forget(files, directory, names, clock.wallMs() - eventAgeMsMax);
        return admission;
      }
      const other = await writeOnce.read(decisionSchema, path);
      if (other) return admissionOf(other);
      throw new ConsumerError("history-unavailable", `${path} exists and cannot be found`);
    },
  };
}

/** What forbids a run after the chain's link `last`, or finds it admitted already; undefined when nothing does. */
async function judge(
  files: Files,
  directory: string,
  last: number,
  name: string,
  { coolDownMs = 0, runsPerHourMax }: RunLimits,
  atMs: number,
): Promise<Admission | undefined> {
  let withinHour = 0;
  for (let number = last; number > 0; number -= 1) {
    const present = await readWriteOnce(files, runSchema, runPath(directory, number));
    if (!present) return undefined;
    if (present.run === name) return { admitted: true };
    const agoMs = atMs - present.atMs;
    if (agoMs < coolDownMs) {
      const detail = `suppressed: the rule ran ${agoMs} ms ago, its cool-down is ${coolDownMs} ms`;
      return { admitted: false, detail };
    }
    if (agoMs >= HOUR_MS) return undefined;
    withinHour += 1;
    if (withinHour >= (runsPerHourMax ?? Number.POSITIVE_INFINITY)) {
      const detail = `suppressed: the rule ran ${withinHour} times within the hour, as often as it may`;
      return { admitted: false, detail };
    }
  }
  return undefined;
}

/**
 * Runs and decisions that nothing asks for any more; what cannot be removed stays. Whole days are kept beyond the age,
 * so that no pod that has slept, or sees an old listing, can find the names of the chain free again.
 */
async function forget(
  files: Files,
  directory: string,
  names: readonly string[],
  beforeMs: number,
): Promise<void> {
  const day = Math.floor(beforeMs / DAY_MS) - 2;
  const decisions = names.filter((name) => name.endsWith(".decision") && numberOf(name, "") < day);
  const runs = names
    .filter((name) => numberOf(name) > 0)
    .toSorted((a, b) => numberOf(a) - numberOf(b));
  const old: string[] = decisions.slice(0, FORGOTTEN_AT_ONCE);
  for (const name of runs.slice(0, FORGOTTEN_AT_ONCE)) {
    const present = await readWriteOnce(files, runSchema, `${directory}/${name}`);
    if (!present || present.atMs >= day * DAY_MS || name === runs.at(-1)) break;
    old.push(name);
  }
  for (const name of old) await files.unlink(`${directory}/${name}`).catch(() => undefined);
}

const FORGOTTEN_AT_ONCE = 4;

function numberOf(name: string, extension = ".run"): number {
  return name.endsWith(extension) ? Number.parseInt(name, 10) || 0 : 0;
}

function runPath(directory: string, number: number): string {
  return `${directory}/${number}.run`;
}

function admissionOf({ admitted, detail }: z.infer<typeof decisionSchema>): Admission {
  return admitted ? { admitted } : { admitted, detail };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
