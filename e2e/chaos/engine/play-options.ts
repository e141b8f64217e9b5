import type { FaultEvent } from "#e2e/checkers/history-event.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { RecordEvent } from "#e2e/base/events.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import type { Schedule } from "#e2e/chaos/schedule.ts";
import type { TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { PlayedStep } from "./played-step.ts";
import type { RoleSource } from "./pod-roles.ts";

/** Everything that the steps of a schedule are played with. */
export interface PlayOptions {
  readonly schedule: Schedule;
  readonly deployment: TestDeployment;
  readonly triggers: ReadonlyMap<string, TriggerKind>;
  readonly faults: ReadonlyMap<string, FaultKind>;
  readonly roles: RoleSource;
  /**
   * Returns how that pod, or its app container, has ended since then; undefined when it has not.
   */
  readonly endOf: (pod: string, sinceMs: number) => string | undefined;
  /** The longest wait for a trigger without a budget of its own, in milliseconds. */
  readonly triggerMsMax: number;
  /** The longest time for a lasting fault to meet something, in milliseconds. */
  readonly fireMsMax: number;
  /**
   * The longest time for which a pod is held by a slow injection, in milliseconds. Then the moment
   * is released, and the injection continues.
   */
  readonly holdMsMax: number;
  readonly durations: Durations;
  readonly recordEvent: RecordEvent;
  readonly record: (event: FaultEvent & { readonly atMs: number }) => void;
  /** Called after every change of a step. */
  readonly onChange: (steps: readonly PlayedStep[]) => void;
  readonly signal: AbortSignal;
}
