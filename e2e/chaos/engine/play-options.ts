import type { FaultEvent } from "#e2e/checkers/history-event.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { Tell } from "#e2e/base/events.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { PlayedStep } from "./played-step.ts";
import type { RoleSource } from "./pod-roles.ts";

/** What the steps of a schedule are played on. */
export interface PlayOptions {
  readonly schedule: Schedule;
  readonly deployment: TestDeployment;
  readonly triggers: ReadonlyMap<string, TriggerKind>;
  readonly faults: ReadonlyMap<string, FaultKind>;
  readonly roles: RoleSource;
  /** How that pod, or its app container, ended since then; undefined when it has not. */
  readonly endOf: (pod: string, sinceMs: number) => string | undefined;
  /** How long a trigger is waited for that has no budget of its own. */
  readonly triggerMsMax: number;
  /** How long a fault that lasts may take to meet something. */
  readonly fireMsMax: number;
  /** How long a pod is held for an injection that takes its time; then the moment is released, and the injection goes on. */
  readonly holdMsMax: number;
  readonly durations: Durations;
  readonly tell: Tell;
  readonly record: (event: FaultEvent & { readonly atMs: number }) => void;
  /** After every change of a step. */
  readonly onChange: (steps: readonly PlayedStep[]) => void;
  readonly signal: AbortSignal;
}
