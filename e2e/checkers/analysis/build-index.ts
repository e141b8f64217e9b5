import type { RunHistory } from "#e2e/checkers/checker.ts";
import type { DeadLettered, HistoryEvent, Published } from "#e2e/checkers/history-event.ts";
import { actionKeyOf } from "./action-key.ts";
import { partitionName, recordName, generationName } from "./indexed-history.ts";
import type {
  ActionEvents,
  AttemptEvents,
  Indexed,
  IndexedHistory,
  PartitionEvents,
} from "./indexed-history.ts";
import { parentIdOf } from "./trace-context.ts";

const known = new WeakMap<RunHistory, IndexedHistory>();

/** Returns the index of a history, which is built once. */
export function indexHistory(history: RunHistory): IndexedHistory {
  const indexed = known.get(history) ?? collect(history.events);
  known.set(history, indexed);
  return indexed;
}

type Mutable<T> = {
  -readonly [Field in keyof T]: T[Field] extends readonly (infer Item)[]
    ? Item[]
    : T[Field] extends ReadonlyMap<infer Key, infer Value>
      ? Map<Key, Value extends readonly (infer Item)[] ? Item[] : Value>
      : T[Field];
};

interface Collected {
  readonly actions: Map<string, Mutable<Omit<ActionEvents, "attempts">> & CollectedAttempts>;
  readonly partitions: Map<string, Mutable<PartitionEvents>>;
  readonly indexed: Mutable<Omit<IndexedHistory, "events" | "actions" | "partitions">>;
}

interface CollectedAttempts {
  readonly attempts: Map<number, Mutable<AttemptEvents>>;
}

function collect(events: readonly HistoryEvent[]): IndexedHistory {
  const collected: Collected = {
    actions: new Map(),
    partitions: new Map(),
    indexed: {
      startMs: events[0]?.atMs ?? 0,
      generations: new Map(),
      pods: new Map(),
      faults: [],
      effectsWithoutKey: [],
      recordDeadLetters: new Map(),
      converged: false,
    },
  };
  events.forEach((event, index) => add(collected, { ...event, index }));
  const { actions, partitions, indexed } = collected;
  for (const { records } of partitions.values()) sortByOffset(records);
  for (const action of actions.values()) {
    sortByOffset(action.records);
    tieEffects(action);
  }
  return { ...indexed, events, actions, partitions };
}

function add(collected: Collected, event: Indexed<HistoryEvent>): void {
  const { indexed } = collected;
  switch (event.kind) {
    case "published":
      return addPublished(collected, event);
    case "delivered":
      return void partitionOf(collected, event).deliveries.push(event);
    case "committed":
      return void partitionOf(collected, event).commits.push(event);
    case "claimed":
      return void attemptOf(collected, event.key, event.attempt).claims.push(event);
    case "sending":
      return void attemptOf(collected, event.key, event.attempt).sendings.push(event);
    case "ended":
      if (event.attempt < 1) return void actionOf(collected, event.key).neverBegun.push(event);
      return void attemptOf(collected, event.key, event.attempt).outcomes.push(event);
    case "effect":
      if (event.key === null) return void indexed.effectsWithoutKey.push(event);
      return void actionOf(collected, event.key).effects.push(event);
    case "dead-lettered":
      return addDeadLetter(collected, event);
    case "assigned":
      return put(indexed.generations, generationName(event.group, event.generation), event);
    case "pod":
      return put(indexed.pods, event.pod, event);
    case "fault":
      return void indexed.faults.push(event);
    case "mark":
      indexed.converged ||= event.what === "converged";
      return;
    default:
      throw new TypeError(`an event is of no known kind: ${JSON.stringify(event)}`);
  }
}

function addPublished(collected: Collected, event: Indexed<Published>): void {
  partitionOf(collected, event).records.push(event);
  for (const expected of event.expected) {
    const action = actionOf(collected, actionKeyOf(expected));
    action.expected ??= expected;
    action.records.push(event);
  }
}

function addDeadLetter(collected: Collected, event: Indexed<DeadLettered>): void {
  if (event.key === null) {
    const { source } = event;
    if (source !== null) put(collected.indexed.recordDeadLetters, recordName(source), event);
    return;
  }
  actionOf(collected, event.key).deadLetters.push(event);
  if (event.attempt !== null && event.attempt > 0) {
    attemptOf(collected, event.key, event.attempt).deadLetters.push(event);
  }
}

function tieEffects({
  attempts,
  effects,
}: CollectedAttempts & Pick<ActionEvents, "effects">): void {
  if (effects.length === 0) return;
  const byParent = new Map<string, Mutable<AttemptEvents>>();
  for (const attempt of attempts.values()) {
    for (const { nonce } of [...attempt.sendings, ...attempt.claims]) {
      byParent.set(parentIdOf(nonce), attempt);
    }
  }
  for (const effect of effects) {
    if (effect.parentId !== null) byParent.get(effect.parentId)?.effects.push(effect);
  }
}

function actionOf({ actions }: Collected, key: string) {
  let action = actions.get(key);
  if (action === undefined) {
    action = {
      key,
      expected: undefined,
      records: [],
      attempts: new Map(),
      effects: [],
      deadLetters: [],
      neverBegun: [],
    };
    actions.set(key, action);
  }
  return action;
}

function attemptOf(collected: Collected, key: string, attempt: number): Mutable<AttemptEvents> {
  const { attempts } = actionOf(collected, key);
  let indexed = attempts.get(attempt);
  if (indexed === undefined) {
    indexed = { attempt, claims: [], sendings: [], outcomes: [], effects: [], deadLetters: [] };
    attempts.set(attempt, indexed);
  }
  return indexed;
}

function partitionOf(
  { partitions }: Collected,
  { topic, partition }: { topic: string; partition: number },
): Mutable<PartitionEvents> {
  const name = partitionName(topic, partition);
  let indexed = partitions.get(name);
  if (indexed === undefined) {
    indexed = { topic, partition, records: [], commits: [], deliveries: [] };
    partitions.set(name, indexed);
  }
  return indexed;
}

function put<Item>(map: Map<string, Item[]>, name: string, item: Item): void {
  const items = map.get(name);
  if (items === undefined) map.set(name, [item]);
  else items.push(item);
}

function sortByOffset(records: { offset: string }[]): void {
  records.sort((one, other) => Number(one.offset) - Number(other.offset));
}
