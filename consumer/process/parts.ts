import type { History } from "#consumer/history/history.ts";
import type { Lanes } from "#consumer/intake/lanes.ts";
import type { Dependency, DependencyState, PauseReport } from "#consumer/ports.ts";
import type { Session } from "./session.ts";

/** The parts of the process that have been started so far. */
export interface Parts {
  /** The last try to open the history. It has to be closed even when nothing waits for it any more. */
  opening?: Promise<History>;
  session?: Session;
  lanes?: Lanes;
  /** The work that handlers have left, to be acknowledged and committed. */
  leftOver?: ReadonlySet<Promise<void>>;
  /** The batches at work. */
  readonly batches: Set<Promise<void>>;
  /** The history, once it is open. */
  history?: Pick<History, "pause">;
  readonly states: Record<Dependency, () => DependencyState>;
}

export function createParts(): Parts {
  return {
    batches: new Set(),
    states: {
      identity: notReady("not read yet"),
      secrets: notReady("waits for the identity"),
      history: notReady("recovering"),
      broker: notReady("waits for identity, secrets and history"),
    },
  };
}

function notReady(reason: string): () => DependencyState {
  return () => ({ ready: false, reason });
}

/** Reads the present state of every dependency. */
export function statesOf({ states }: Parts): Record<Dependency, DependencyState> {
  return {
    identity: states.identity(),
    secrets: states.secrets(),
    history: states.history(),
    broker: states.broker(),
  };
}

/** Describes the pause for the report of readiness; empty while the work is not paused. */
export function pauseOf({ history }: Parts): { readonly paused?: PauseReport } {
  const order = history?.pause.known;
  if (order?.paused !== true) return {};
  return { paused: { by: order.by, reason: order.reason, sinceMs: order.atMs } };
}
