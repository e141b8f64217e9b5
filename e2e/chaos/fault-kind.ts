import type { ZodType } from "zod";
import type { Ability } from "#e2e/base/abilities.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { Tell } from "#e2e/base/events.ts";
import type { SeededRandom } from "#e2e/base/random.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { Activity, PodSelector } from "./activities.ts";

/** `do` of a step: the name of the fault, the pod where it is about one, and the parameters of this kind, side by side. */
export interface FaultStep {
  /** Such as `pod.kill`. */
  readonly fault: string;
  /** Only for a kind whose `scope` is `pod`. Default `held`, or `owner` where nobody can tell which pod stands at the moment. */
  readonly pod?: PodSelector;
  readonly [parameter: string]: unknown;
}

/** One kind of fault. Kinds are listed in `faults/index.ts`; each is also a function that a scenario calls in one line. */
export interface FaultKind<Parameters extends object = object> {
  readonly name: string;
  /** One sentence for docs/chaos.md and for messages. */
  readonly title: string;
  readonly scope: "pod" | "deployment";
  /** It stays until it is healed; false: it is over when it has been injected. */
  readonly lasting: boolean;
  readonly needs: readonly Ability[];
  /** It disturbs whatever else runs at the same place, such as the pods of another schedule on the same node. Default false. */
  readonly alone?: boolean;
  /** What it brings about, so that later triggers can rest on it. */
  readonly causes: readonly Activity[];
  /** Of the parameters beside those of FaultStep; strict. */
  readonly parameters: ZodType<Parameters>;
  /** Why a schedule with so many replicas cannot have it, with the parameter that is wrong. Absent: every schedule can. */
  conflict?(
    parameters: Parameters,
    plan: { readonly replicas: number },
  ): { readonly parameter: string; readonly message: string } | undefined;
  /** `plan`: of the schedule that it is drawn for. Absent: the least. */
  draw(random: SeededRandom, plan?: { readonly replicas: number }): Parameters;
  inject(context: FaultContext, parameters: Parameters): Promise<InjectedFault>;
}

export interface FaultContext {
  readonly deployment: TestDeployment;
  /** Name of the pod; "" for a fault of the whole deployment. */
  readonly pod: string;
  readonly durations: Durations;
  /** Of the schedule's seed and this step. */
  readonly random: SeededRandom;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

/** Disposing heals. */
export interface InjectedFault extends AsyncDisposable {
  /**
   * What proves that it fired, in one line without secrets, such as `exit code 137` or `3 requests refused`; undefined as long as nothing does.
   * Asked again after the healing: a fault that never fired is an error (exit code 4).
   */
  fired(): Promise<string | undefined>;
  /** Takes it away. Again: nothing. Of a fault that does not last it does nothing. */
  heal(): Promise<void>;
}

/** Keeps the type of the parameters inside one kind, and lets all kinds stand in one list. */
export function faultKind<Parameters extends object>(kind: FaultKind<Parameters>): FaultKind {
  return kind;
}

/** What an earlier fault has left makes this one impossible now, such as a leader that no living node can take over. The step is missed. */
export class FaultImpossibleError extends Error {
  override readonly name = "FaultImpossibleError";
}
