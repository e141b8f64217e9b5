import type { RunHistory } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import type {
  ActionEvents,
  AttemptEvents,
  IndexedHistory,
} from "#e2e/checkers/analysis/indexed-history.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";
import type { Choose } from "./choices.ts";

/** A change that makes a correct history an incorrect one. */
export interface Mutation {
  /** A sentence about the run that says what it changes. */
  readonly what: string;
  /** The checker that must find it. */
  readonly invariant: string;
  /** The verdicts that are accepted. Defaults to broken. */
  readonly says?: readonly ("broken" | "unknown")[];
  /**
   * Returns the changed events in any order, or undefined when there is nothing in the history that
   * it could change.
   */
  readonly change: (history: MutableHistory, choose: Choose) => readonly HistoryEvent[] | undefined;
}

export interface MutableHistory {
  readonly events: readonly HistoryEvent[];
  readonly indexed: IndexedHistory;
}

/** Returns undefined when the mutation cannot be applied to this history. */
export function mutate(
  history: RunHistory,
  { change }: Mutation,
  choose: Choose,
): RunHistory | undefined {
  const { events } = history;
  const changed = change({ events, indexed: indexHistory(history) }, choose);
  if (changed === undefined) return undefined;
  return { ...history, events: changed.toSorted((one, other) => one.atMs - other.atMs) };
}

export type Kind<Name extends HistoryEvent["kind"]> = Extract<HistoryEvent, { kind: Name }>;

/** Returns one of the events of that kind for which the condition is true. */
export function pick<Name extends HistoryEvent["kind"]>(
  { events }: MutableHistory,
  choose: Choose,
  kind: Name,
  condition: (event: Kind<Name>) => boolean = () => true,
): Kind<Name> | undefined {
  const isKind = (event: HistoryEvent): event is Kind<Name> => event.kind === kind;
  return pickOf(events.filter(isKind).filter(condition), choose);
}

export function pickOf<Item>(items: readonly Item[], choose: Choose): Item | undefined {
  return items.length === 0 ? undefined : items[choose(items.length)];
}

export function without(
  { events }: MutableHistory,
  isDropped: (event: HistoryEvent) => boolean,
): readonly HistoryEvent[] {
  return events.filter((event) => !isDropped(event));
}

/** Returns the same history with this one event changed. */
export function replaced<Event extends HistoryEvent>(
  { events }: MutableHistory,
  event: Event,
  change: Partial<Event>,
): readonly HistoryEvent[] {
  return events.map((one) => (one === event ? { ...event, ...change } : one));
}

/** Returns every attempt with its action. */
export function attemptsOf({
  indexed,
}: MutableHistory): readonly { readonly action: ActionEvents; readonly attempt: AttemptEvents }[] {
  return [...indexed.actions.values()].flatMap((action) =>
    [...action.attempts.values()].map((attempt) => ({ action, attempt })),
  );
}
