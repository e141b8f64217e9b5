import { TEMPORARY_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { FileOperation } from "#fixtures/ports/files.ts";
import type { Steps } from "#fixtures/ports/interleaving.ts";

/**
 * The next operation of a pod. In the phase `after` it has had its effect, and only its reply is
 * missing.
 */
export interface Step {
  readonly kind: "file" | "send" | "publish" | "commit" | "fetch" | "notice";
  readonly phase: "before" | "after";
  /** The file operation, when `kind` is `file`. */
  readonly operation?: FileOperation;
  /** The path, the key, or the partition and offset. */
  readonly subject: string;
  /** The purpose of a written file, as far as its bytes show. */
  readonly purpose?: Purpose;
  /** The number of bytes of an append. */
  readonly bytes?: number;
}

export type Purpose = "claim" | "outcome" | "horizon" | "view" | "journal" | "snapshot" | "other";

/** The result of a step. */
export type StepResult =
  | { readonly kind: "go" }
  /** The step has its effect; its reply is a step of its own. */
  | { readonly kind: "hold" }
  /** The step fails without an effect. */
  | { readonly kind: "fail"; readonly code: string }
  /** The step has its effect, and fails because its reply is lost. */
  | { readonly kind: "lose"; readonly code: string }
  /** The first `bytes` bytes of an append are written, then it fails. */
  | { readonly kind: "tear"; readonly code: string; readonly bytes: number }
  /** The step fails now, and has its effect later. */
  | { readonly kind: "delay"; readonly code: string }
  /** A cache answers that there is no such file; a listing lacks new names. */
  | { readonly kind: "stale" };

export const GO: StepResult = { kind: "go" };

export type ModelSteps = Steps<Step, StepResult>;

/**
 * Returns a name that is equal for the same step of the same machine in runs whose other steps
 * differ. Names of temporary files are random and therefore left out.
 */
export function nameOfStep(machine: string, { kind, phase, operation, subject }: Step): string {
  const place = subject.startsWith(`${TEMPORARY_DIRECTORY}/`) ? "temporary" : subject;
  return `${machine} ${phase} ${operation ?? kind} ${place}`;
}

export function describeStep({ kind, phase, operation, subject }: Step): string {
  return `${phase} ${operation ?? kind} ${subject}`;
}
