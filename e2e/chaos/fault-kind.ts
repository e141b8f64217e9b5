import type { ZodType } from "zod";
import type { Ability } from "#e2e/base/abilities.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { Activity, PodSelector } from "./activities.ts";

/**
 * The field `do` of a step: the name of the fault, the pod where the fault is about one, and the
 * parameters of this kind, side by side.
 */
export interface FaultStep {
  /** The name of the fault, such as `pod.kill`. */
  readonly fault: string;
  /**
   * Only for a kind whose `scope` is `pod`. Defaults to `held`, or to `owner` when the held pod is
   * unknown.
   */
  readonly pod?: PodSelector;
  readonly [parameter: string]: unknown;
}

/**
 * One kind of fault. Kinds are listed in `faults/index.ts`; each is also a function that a scenario
 * can call in one line.
 */
export interface FaultKind<Parameters extends object = object> {
  readonly name: string;
  /** One sentence for docs/chaos.md and for messages. */
  readonly title: string;
  readonly scope: "pod" | "deployment";
  /**
   * True when the fault stays until it is healed; false when it is over once it has been injected.
   */
  readonly lasting: boolean;
  readonly needs: readonly Ability[];
  /**
   * True when the fault disturbs whatever else runs in the same environment, such as the pods of
   * another schedule on the same node. Defaults to false.
   */
  readonly alone?: boolean;
  /** The activities that it causes, so that later triggers can depend on them. */
  readonly causes: readonly Activity[];
  /** The schema of the parameters beside those of FaultStep; it is strict. */
  readonly parameters: ZodType<Parameters>;
  /**
   * Returns why a schedule with that many replicas cannot have this fault, with the wrong
   * parameter. When absent, every schedule can.
   */
  conflict?(
    parameters: Parameters,
    plan: { readonly replicas: number },
  ): { readonly parameter: string; readonly message: string } | undefined;
  /** Draws parameters. `plan` is that of the schedule; it defaults to the smallest. */
  draw(random: SeededRandom, plan?: { readonly replicas: number }): Parameters;
  inject(context: FaultContext, parameters: Parameters): Promise<InjectedFault>;
}

export interface FaultContext {
  readonly deployment: TestDeployment;
  /** The name of the pod; "" for a fault of the whole deployment. */
  readonly pod: string;
  readonly durations: Durations;
  /** The generator of the schedule's seed and this step. */
  readonly random: SeededRandom;
  readonly recordEvent: RecordEvent;
  readonly signal: AbortSignal;
}

/** An injected fault. Disposing heals it. */
export interface InjectedFault extends AsyncDisposable {
  /**
   * Returns the proof that it fired in one line without secrets, such as `exit code 137` or `3
   * requests refused`, or undefined as long as there is none. It is asked again after the healing:
   * a fault that never fired is an error (exit code 4).
   */
  fired(): Promise<string | undefined>;
  /**
   * Takes the fault away. Further calls do nothing, and neither does a call for a fault that does
   * not last.
   */
  heal(): Promise<void>;
}

/** Checks the type of the parameters inside one kind, and lets all kinds be in one list. */
export function faultKind<Parameters extends object>(kind: FaultKind<Parameters>): FaultKind {
  return kind;
}

/**
 * An earlier fault makes this one impossible now, for example when no living node can take over a
 * leader. The step is missed.
 */
export class FaultImpossibleError extends Error {
  override readonly name = "FaultImpossibleError";
}
