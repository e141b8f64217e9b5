import type { FileOperation } from "#fixtures/ports/files.ts";
import type { Steps } from "#fixtures/ports/interleaving.ts";

/** What a pod stands in front of. `after`: the effect is there, and its reply on the way. */
export interface Step {
  readonly kind: "file" | "send" | "publish" | "commit" | "fetch" | "notice";
  readonly phase: "before" | "after";
  /** Of a file only. */
  readonly operation?: FileOperation;
  /** Path, key, or partition and offset. */
  readonly subject: string;
  /** What a written file is for, as far as its bytes tell. */
  readonly purpose?: Purpose;
  /** Of an append: so many. */
  readonly bytes?: number;
}

export type Purpose = "claim" | "outcome" | "horizon" | "view" | "journal" | "snapshot" | "other";

/** How a step goes. */
export type How =
  | { readonly kind: "go" }
  /** It has its effect; the reply is a step of its own. */
  | { readonly kind: "hold" }
  /** It fails without an effect. */
  | { readonly kind: "fail"; readonly code: string }
  /** It has its effect, and fails: a lost reply. */
  | { readonly kind: "lose"; readonly code: string }
  /** So many bytes of an append are written, then it fails. */
  | { readonly kind: "tear"; readonly code: string; readonly bytes: number }
  /** It fails now, and has its effect later. */
  | { readonly kind: "delay"; readonly code: string }
  /** A cache says that there is no such file; of a listing, it lacks fresh names. */
  | { readonly kind: "stale" };

export const GO: How = { kind: "go" };

export type ModelSteps = Steps<Step, How>;

/** The same for the same step of the same machine in runs that differ in other steps: names of temporary files are random. */
export function nameOfStep(machine: string, { kind, phase, operation, subject }: Step): string {
  const place = subject.startsWith("temporary/") ? "temporary" : subject;
  return `${machine} ${phase} ${operation ?? kind} ${place}`;
}

export function describeStep({ kind, phase, operation, subject }: Step): string {
  return `${phase} ${operation ?? kind} ${subject}`;
}
