import { ConsumerError, hasCode } from "#consumer/errors.ts";
import { createForgetting } from "./forgotten-limits.ts";
import type { AwaitedAnswer } from "#consumer/history/base/health.ts";
import { decisionPath, decisionSchema, sha256 } from "./limit-files.ts";
import type { PlannedLimits } from "#consumer/planning/plan.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import { createRunChain } from "./run-chain.ts";
import type { Admission, RunChain } from "./run-chain.ts";
import { createWriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { limitsDirectoryOf, limitsDirectoryOfValues } from "#consumer/history/base/layout.ts";

/** One run of a rule: all its actions for one transition of one episode of an incident. */
interface LimitedRun {
  readonly rule: string;
  readonly incidentId: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly limits: PlannedLimits;
}

export interface RunAdmissions {
  /**
   * Decides whether a run may take place. The decision is final: every pod that asks again gets the same answer.
   * Tries once; an error of the volume, or "history-unreadable", leaves it undecided. `answer` is told how long the
   * call waits for its turn.
   */
  admit(run: LimitedRun, answer?: AwaitedAnswer): Promise<Admission>;
  /** Deletes what is not needed any more; a part of the sweep. */
  forget(giveUp: AbortSignal): Promise<void>;
}

export interface RunAdmissionsOptions {
  readonly files: Files;
  readonly clock: Clock;
  /** A name that is unique to this process on this volume; the names of temporary files begin with it. */
  readonly writer: string;
  /** The name of the pod, for people. */
  readonly pod: string;
  /** The greatest age of an event at which an action may begin, in milliseconds. Older decisions are deleted. */
  readonly eventAgeMsMax: number;
  /** Called with the error of a damaged file. Defaults to nothing. */
  readonly onDamage?: (error: Error) => void;
}

/** The chains that are kept in memory. */
const CHAINS_MAX = 10_000;

/**
 * Enforces the limits of rules with files that are written once: `limits/<sha256 of rule>/<day>.<run>.decision`,
 * beside the chain of the runs that were admitted. Times are those of the volume, so the limits are exact up to the
 * difference between the clocks of pods.
 */
export function createRunAdmissions(options: RunAdmissionsOptions): RunAdmissions {
  const { files, clock, writer, pod, onDamage = () => undefined } = options;
  const writeOnce = createWriteOnceFiles(files, `${writer}.limits`);
  /** The chains by their directory, one for each rule with limits, or for each combination of values. */
  const chains = new Map<string, RunChain>();

  /** The directories of rules that this process has made. */
  const made = new Set<string>();

  const chainIn = (directory: string): RunChain => {
    const present = chains.get(directory);
    if (present) return present;
    // A chain is found again on the volume, so that forgetting one costs no more than reading it anew.
    if (chains.size >= CHAINS_MAX) chains.clear();
    const chain = createRunChain({ files, writeOnce, clock, directory, pod, onDamage });
    chains.set(directory, chain);
    return chain;
  };

  /** Reads a decision. A damaged one counts as a refusal, and the dead letter says so. */
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

  /** Asks the chain of the rule, or of the values that the rule is limited by. */
  const admitToChain = async (
    run: string,
    rule: string,
    limits: PlannedLimits,
    ofRule: string,
    answer?: AwaitedAnswer,
  ): Promise<Admission> => {
    const { per = [], values } = limits;
    const directory = values === undefined ? ofRule : limitsDirectoryOfValues(rule, per, values);
    try {
      // The chain of the rule makes the directory, which holds the decisions; a chain of values has another one.
      if (values !== undefined && !made.has(ofRule)) {
        await files.makeDirectory(ofRule);
        made.add(ofRule);
      }
      return await chainIn(directory).admit(run, limits, answer);
    } catch (error) {
      chains.delete(directory);
      throw error;
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
      // The process that wrote the decision may have ended before it synced the directory.
      await files.syncDirectory(directory);
      return decided.admitted ? { admitted: true } : decided;
    }
    const admission = await admitToChain(name, rule, limits, directory, answer);
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
        // The directory may be gone, or the chain that was read may be out of date.
        chains.delete(directory);
        made.delete(directory);
        throw error;
      }
    },
    forget: createForgetting({ files, writeOnce, clock, eventAgeMsMax: options.eventAgeMsMax }),
  };
}
