import { ConsumerError, hasCode } from "#consumer/errors.ts";
import { createForgetting } from "./forgotten-limits.ts";
import type { AwaitedAnswer } from "#consumer/history/base/health.ts";
import { decisionPath, decisionSchema, sha256 } from "./limit-files.ts";
import type { RunLimits } from "#consumer/planning/rules.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import { type Admission, createRunChain, type RunChain } from "./run-chain.ts";
import { createWriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { limitsDirectoryOf } from "#consumer/history/base/layout.ts";

/** One run of a rule: all its actions for one transition of one episode of an incident. */
interface LimitedRun {
  readonly rule: string;
  readonly incidentId: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly limits: RunLimits;
}

export interface RunAdmissions {
  /**
   * Decides once and for all: whoever asks again, in whatever pod, hears the same. Tries once; errors are the
   * volume's, or "history-unreadable", and leave it undecided. `answer` is told of the time that it waits for its turn.
   */
  admit(run: LimitedRun, answer?: AwaitedAnswer): Promise<Admission>;
  /** Removes what nothing asks for any more; a part of the sweep. */
  forget(giveUp: AbortSignal): Promise<void>;
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
  /** Told of files that were damaged. Default: nobody asks. */
  readonly onDamage?: (error: Error) => void;
}

/**
 * Decisions are files that are written once, `limits/<sha256 of rule>/<day>.<run>.decision`, beside the chain of the runs
 * that were admitted. Times are those of the volume, so the limits hold up to what pods differ in reading it.
 */
export function createRunAdmissions(options: RunAdmissionsOptions): RunAdmissions {
  const { files, clock, writer, pod, onDamage = () => undefined } = options;
  const writeOnce = createWriteOnceFiles(files, `${writer}.limits`);
  /** By directory; as many as rules with limits. */
  const chains = new Map<string, RunChain>();

  const chainIn = (directory: string): RunChain => {
    const present = chains.get(directory);
    if (present) return present;
    const chain = createRunChain({ files, writeOnce, clock, directory, pod, onDamage });
    chains.set(directory, chain);
    return chain;
  };

  /** What a damaged one said nobody knows: nothing runs by it, and its dead letter says so. */
  const readDecision = async (path: string): Promise<Admission | undefined> => {
    try {
      return await writeOnce.read(decisionSchema, path);
    } catch (error) {
      if (!hasCode(error, "history-damaged")) throw error;
      onDamage(error);
      const detail = `suppressed: what was decided is damaged: ${error.message}`;
      return { admitted: false, detail };
    }
  };

  const admit = async (
    { limits, ...run }: LimitedRun,
    directory: string,
    answer?: AwaitedAnswer,
  ): Promise<Admission> => {
    const { rule, incidentId, transition, startedOnMs } = run;
    const name = sha256(JSON.stringify([rule, incidentId, transition, startedOnMs]));
    const path = decisionPath(directory, name, startedOnMs);
    const decided = await readDecision(path);
    if (decided) {
      // Whoever wrote it may not have come to that.
      await files.syncDirectory(directory);
      return decided.admitted ? { admitted: true } : decided;
    }
    const admission = await chainIn(directory).admit(name, limits, answer);
    const detail = admission.admitted ? "" : admission.detail;
    const { admitted } = admission;
    const isOurs = await writeOnce.link(path, { format: 1, admitted, detail });
    const decision = isOurs ? admission : await readDecision(path);
    if (!decision) {
      throw new ConsumerError("history-unavailable", `${path} exists and cannot be found`);
    }
    await files.syncDirectory(directory);
    return decision.admitted ? { admitted: true } : decision;
  };

  return {
    async admit(run, answer) {
      const directory = limitsDirectoryOf(run.rule);
      try {
        return await admit(run, directory, answer);
      } catch (error) {
        // The directory may be gone, or what was read last not what is there.
        chains.delete(directory);
        throw error;
      }
    },
    forget: createForgetting({ files, writeOnce, clock, eventAgeMsMax: options.eventAgeMsMax }),
  };
}
