import type { ZodType } from "zod";
import type { Ability } from "#e2e/base/abilities.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { Activity, PodSelector } from "./activities.ts";

/** `when` of a step: the name of the trigger, what every trigger has, and the parameters of this one, side by side. */
export interface TriggerStep {
  /** Such as `volume.claim-linked`. */
  readonly trigger: string;
  /** Only this pod, chosen when the trigger is armed. Absent: whichever pod comes first. */
  readonly pod?: Exclude<PodSelector, "held">;
  /** The n-th time that it comes, counted from 1 when it is armed. Default 1. */
  readonly ordinal?: number;
  /** How long it is waited for, milliseconds. Default: `triggerMsMax` of the run. */
  readonly budgetMs?: number;
  readonly [parameter: string]: unknown;
}

/** One kind of moment. Kinds are listed in `triggers/index.ts`. */
export interface TriggerKind<Parameters extends object = object> {
  readonly name: string;
  /** One sentence for docs/chaos.md and for messages. */
  readonly title: string;
  /** Whether the pod stands still at the moment until `release`. One that is only seen in a log or an event has passed already. */
  readonly holds: boolean;
  readonly needs: readonly Ability[];
  /** What the load or an earlier step must bring about, or it can never come. */
  readonly requires: readonly Activity[];
  /** What it rests on beside that with these parameters. Absent: nothing. */
  requiresFor?(parameters: Parameters): readonly Activity[];
  /** Of the parameters beside those of TriggerStep; strict. */
  readonly parameters: ZodType<Parameters>;
  /** `found`: what the load and the step before bring about. Absent: everything. */
  draw(random: SeededRandom, found?: ReadonlySet<Activity>): Parameters;
  arm(context: TriggerContext, parameters: Parameters): Promise<ArmedTrigger>;
}

export interface TriggerContext {
  readonly deployment: TestDeployment;
  /** Only this pod; null: any. */
  readonly pod: string | null;
  readonly ordinal: number;
  readonly signal: AbortSignal;
}

/** Disposing releases and disarms; it never throws because the moment did not come: the engine says and counts that. */
export interface ArmedTrigger extends AsyncDisposable {
  /** Resolves when the moment has come, `ordinal` counted. Never rejects, and stays open when the moment never comes. */
  readonly reached: Promise<ReachedTrigger>;
  /** Lets whatever is held go on; holds nothing any more. */
  release(): Promise<void>;
}

export interface ReachedTrigger {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** The pod that stands there, or at which it was seen; null where nobody can tell. */
  readonly pod: string | null;
  /** What exactly was met, such as `link claims/ab/abc....1.claim`: one line, without secrets. */
  readonly detail: string;
}

/** Keeps the type of the parameters inside one kind, and lets all kinds stand in one list. */
export function triggerKind<Parameters extends object>(kind: TriggerKind<Parameters>): TriggerKind {
  return kind;
}
