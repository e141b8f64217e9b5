import type { ZodType } from "zod";
import type { Ability } from "#e2e/base/abilities.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { Activity, PodSelector } from "./activities.ts";

/**
 * The field `when` of a step: the name of the trigger, what every trigger has, and the parameters
 * of this one, side by side.
 */
export interface TriggerStep {
  /** The name of the trigger, such as `volume.claim-linked`. */
  readonly trigger: string;
  /**
   * The only pod in which it counts, chosen when the trigger is armed. When absent, whichever pod
   * comes first.
   */
  readonly pod?: Exclude<PodSelector, "held">;
  /** The n-th time that it comes, counted from 1 when it is armed. Defaults to 1. */
  readonly ordinal?: number;
  /** The longest time to wait for it, in milliseconds. Defaults to `triggerMsMax` of the run. */
  readonly budgetMs?: number;
  readonly [parameter: string]: unknown;
}

/** One kind of moment. Kinds are listed in `triggers/index.ts`. */
export interface TriggerKind<Parameters extends object = object> {
  readonly name: string;
  /** One sentence for docs/chaos.md and for messages. */
  readonly title: string;
  /**
   * True when the pod is held at the moment until `release`. A moment that is only seen in a log or
   * an event has passed already.
   */
  readonly holds: boolean;
  readonly needs: readonly Ability[];
  /** The activities that the load or an earlier step must cause, or the moment can never come. */
  readonly requires: readonly Activity[];
  /** Returns what it requires in addition with these parameters. When absent, nothing. */
  requiresFor?(parameters: Parameters): readonly Activity[];
  /** The schema of the parameters beside those of TriggerStep; it is strict. */
  readonly parameters: ZodType<Parameters>;
  /**
   * Draws parameters. `found` is what the load and the step before cause; when absent, everything.
   */
  draw(random: SeededRandom, found?: ReadonlySet<Activity>): Parameters;
  arm(context: TriggerContext, parameters: Parameters): Promise<ArmedTrigger>;
}

export interface TriggerContext {
  readonly deployment: TestDeployment;
  /** The only pod in which it counts; null for any. */
  readonly pod: string | null;
  readonly ordinal: number;
  readonly signal: AbortSignal;
}

/**
 * An armed trigger. Disposing releases and disarms it. It never throws because the moment did not
 * come, since the engine reports and counts that.
 */
export interface ArmedTrigger extends AsyncDisposable {
  /**
   * Resolves when the moment has come for the `ordinal`-th time. Never rejects, and stays pending
   * when the moment never comes.
   */
  readonly reached: Promise<ReachedTrigger>;
  /** Releases whatever is held, and holds nothing any more. */
  release(): Promise<void>;
}

export interface ReachedTrigger {
  /** The time, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The pod that is held, or in which the moment was seen; null when it is unknown. */
  readonly pod: string | null;
  /** The exact operation or event, such as `link claims/ab/abc....1.claim`, in one line without secrets. */
  readonly detail: string;
}

/** Checks the type of the parameters inside one kind, and lets all kinds be in one list. */
export function triggerKind<Parameters extends object>(kind: TriggerKind<Parameters>): TriggerKind {
  return kind;
}
