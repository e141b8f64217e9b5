export interface Step {
  /** A description of the step, such as "create the cluster". */
  readonly title: string;
  /** Runs the step and returns what there is to say about it, if anything. */
  readonly run: () => Promise<string | void>;
  /**
   * Takes back what `run` did, whole or in part, also after a failure of a later step. Returns
   * false when there was nothing to take back.
   */
  readonly undo?: () => Promise<boolean | void>;
}

export interface StepsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Leaves what was made when a step fails. Defaults to false. */
  readonly keep?: boolean;
  readonly onStep: (event: StepEvent) => void;
}

interface StepEvent {
  readonly title: string;
  readonly state: "started" | "waiting" | "done" | "failed" | "undone" | "not-undone";
  /** The duration, for `done`, `failed`, `undone` and `not-undone`. */
  readonly durationMs?: number;
  /** The message of a step, what it waits for, or the reason why it failed. */
  readonly text?: string;
}

/**
 * A step failed; its error is the cause. `undoErrors` holds the errors of the steps that could not
 * be taken back.
 */
export class StepError extends Error {
  override readonly name = "StepError";
  readonly undoErrors: readonly Error[];

  constructor(message: string, undoErrors: readonly Error[], options: { cause: unknown }) {
    super(message, options);
    this.undoErrors = undoErrors;
  }
}

/**
 * Runs the steps one after the other. When one fails or the signal aborts, every step that began is
 * undone, the last one first, unless `keep` is set. Throws StepError.
 */
export async function runSteps(steps: readonly Step[], options: StepsOptions): Promise<void> {
  const begun: Step[] = [];
  for (const step of steps) {
    const startMs = performance.now();
    try {
      options.signal?.throwIfAborted();
      begun.push(step);
      options.onStep({ title: step.title, state: "started" });
      const text = await step.run();
      options.onStep(ended(step, "done", startMs, text ?? undefined));
    } catch (error) {
      const { message } = asError(error);
      options.onStep(ended(step, "failed", startMs, message));
      const undoErrors = options.keep === true ? [] : await undo(begun, options);
      throw new StepError(explained(step, message, undoErrors), undoErrors, { cause: error });
    }
  }
}

async function undo(begun: readonly Step[], options: StepsOptions): Promise<Error[]> {
  const errors: Error[] = [];
  for (const step of begun.toReversed()) {
    if (step.undo === undefined) continue;
    const startMs = performance.now();
    try {
      const wasUndone = await step.undo();
      if (wasUndone !== false) options.onStep(ended(step, "undone", startMs));
    } catch (error) {
      errors.push(asError(error));
      options.onStep(ended(step, "not-undone", startMs, asError(error).message));
    }
  }
  return errors;
}

function explained(step: Step, message: string, undoErrors: readonly Error[]): string {
  const left = undoErrors.map((error) => `\nnot undone: ${error.message}`);
  return `${step.title}: ${message}${left.join("")}`;
}

function ended(step: Step, state: StepEvent["state"], startMs: number, text?: string): StepEvent {
  const durationMs = Math.round(performance.now() - startMs);
  return { title: step.title, state, durationMs, ...(text !== undefined && { text }) };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
