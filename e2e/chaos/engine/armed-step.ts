import { messageOf } from "#consumer/errors.ts";
import { pause } from "#e2e/base/waiting.ts";
import type { Schedule, ScheduleStep } from "#e2e/chaos/schedule.ts";
import type { ArmedTrigger, ReachedTrigger, TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { PlayOptions } from "./play-options.ts";
import { podOfRole } from "./pod-roles.ts";

/** A step of the schedule with its number, from 1. */
export interface NumberedStep {
  readonly number: number;
  readonly step: ScheduleStep;
}

/** A step whose trigger is armed, or the reason why it cannot be. */
export type ArmedStep = NumberedStep &
  (
    | { readonly trigger: ArmedTrigger; readonly kind: TriggerKind; readonly pod: string | null }
    | { readonly trigger: null; readonly reason: string }
  );

/** The interval at which the presence of the awaited pod is checked. */
const POD_LOOK_MS = 200;

export function numberedSteps({ steps }: Schedule): NumberedStep[] {
  return steps.map((step, index) => ({ number: index + 1, step }));
}

/**
 * Arms the trigger of a step. Returns a reason when the pod is not there, or goes away while the
 * trigger is armed.
 */
export async function armStep(numbered: NumberedStep, options: PlayOptions): Promise<ArmedStep> {
  const { trigger: name, pod: selector, ordinal = 1, budgetMs: _, ...rest } = numbered.step.when;
  const kind = options.triggers.get(name);
  if (kind === undefined) throw new Error(`step ${numbered.number}: there is no trigger ${name}`);
  const pod =
    selector === undefined ? null : ((await podOfRole(selector, null, options.roles)) ?? null);
  if (selector !== undefined && pod === null) {
    return { ...numbered, trigger: null, reason: `no pod is ${roleText(selector)}` };
  }
  const { deployment, signal } = options;
  try {
    const context = { deployment, pod, ordinal, signal };
    const trigger = await kind.arm(context, kind.parameters.parse(rest));
    return { ...numbered, trigger, kind, pod };
  } catch (error) {
    if (signal.aborted || pod === null || (await isPresent(pod, options))) throw error;
    const reason = `pod ${pod} went away while its trigger was armed: ${messageOf(error)}`;
    return { ...numbered, trigger: null, reason };
  }
}

/**
 * Waits for the moment. Returns a reason instead when it does not come within the budget, or when
 * the pod in which it is awaited is gone.
 */
export async function reach(
  armed: Extract<ArmedStep, { trigger: ArmedTrigger }>,
  options: PlayOptions,
): Promise<ReachedTrigger | string> {
  const budgetMs = armed.step.when.budgetMs ?? options.triggerMsMax;
  const waiting = new AbortController();
  const signal = AbortSignal.any([options.signal, waiting.signal]);
  const tooLate = async (): Promise<string> => {
    await pause(budgetMs, signal);
    return `it did not come within ${budgetMs} ms`;
  };
  const gone = async (): Promise<string> => {
    if (armed.pod === null) return await Promise.withResolvers<never>().promise;
    while (await isPresent(armed.pod, options)) await pause(POD_LOOK_MS, signal);
    return `pod ${armed.pod} is gone`;
  };
  const waits = [tooLate(), gone()];
  try {
    return await Promise.race([armed.trigger.reached, ...waits]);
  } finally {
    waiting.abort(new Error("the wait for the trigger is over"));
    for (const wait of waits) wait.catch(() => {});
  }
}

async function isPresent(pod: string, { roles }: PlayOptions): Promise<boolean> {
  const pods = await roles.pods();
  return pods.some(({ metadata }) => metadata?.name === pod);
}

function roleText(selector: NonNullable<ScheduleStep["when"]["pod"]>): string {
  return typeof selector === "object" ? `number ${selector.nth} by age` : selector;
}
