import { messageOf } from "#consumer/errors.ts";
import { APP } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "./test-deployment.ts";
import { readLogs } from "#e2e/trace/read-logs.ts";
import { isCut } from "#e2e/trace/run-log.ts";
import type { Evidence, RunHistory } from "#e2e/checkers/checker.ts";
import type { HistoryEvent } from "#e2e/checkers/history-event.ts";
import { deadLetterEvents, protocolEvents } from "#e2e/checkers/collect/broker-events.ts";
import { effectEvents } from "#e2e/checkers/collect/effect-events.ts";
import { logEvents } from "#e2e/checkers/collect/log-events.ts";
import { podClock } from "#e2e/checkers/collect/pod-clock.ts";
import { podEvents } from "#e2e/checkers/collect/pod-events.ts";
import { volumeEvents } from "#e2e/checkers/collect/volume-events.ts";

/**
 * Completes the history with the logs in the directory, which is undefined when they could not be
 * saved.
 */
export type RecordedHistory = (logsDirectory: string | undefined) => Promise<RunHistory>;

/**
 * Reads everything that ends with the deployment: the volume, the topics, the ledger of the action
 * endpoint. What cannot be read is reported, and leaves the invariants that need it unknown.
 */
export async function recordHistory(deployment: TestDeployment): Promise<RecordedHistory> {
  const { names, broker, record } = deployment;
  const deadLettersAtMs = Date.now();
  // This is read before the end time, so that the outcome of every dead letter that counts is in
  // the history too.
  const [deadLetterEnds] = await Promise.allSettled([broker.endOffsets(names.deadLetterTopic)]);
  // Events that happen while the sources are read one after the other would be in some of them
  // only.
  const endMs = Date.now();
  const incomplete = new Map<Evidence, string>();
  const read = async (
    evidence: readonly Evidence[],
    reading: () => Promise<HistoryEvent[]>,
  ): Promise<HistoryEvent[]> => {
    try {
      return await reading();
    } catch (error) {
      for (const one of evidence) incomplete.set(one, `could not be read: ${messageOf(error)}`);
      return [];
    }
  };
  const lacking = lackingAt(broker.abilities);
  const protocol = lacking.has("commits")
    ? []
    : await read(["commits", "deliveries", "assignments"], async () =>
        protocolEvents(await broker.protocolHistory(), names.topic),
      );
  let effects: Awaited<ReturnType<TestDeployment["effects"]>> = [];
  await read(["effects"], async () => {
    effects = await deployment.effects();
    return [];
  });
  let strangeFiles: readonly string[] = [];
  const files = await read(["claims", "outcomes"], async () => {
    const found = await deployment.historyFiles();
    strangeFiles = found.strange;
    return volumeEvents(found);
  });
  const deadLetters = await read(["dead-letters"], async () => {
    if (deadLetterEnds.status === "rejected") throw deadLetterEnds.reason;
    const end = { atMs: endMs, offsets: deadLetterEnds.value };
    return deadLetterEvents(await deployment.deadLetters(), names.deadLetterTopic, end);
  });
  const published = await read(["published"], async () => {
    const { events, unknown } = record.published(names.topic, await broker.read(names.topic));
    if (unknown.length > 0) throw new Error(`nobody published ${unknown.join(", ")}`);
    return [...events];
  });
  const contractFile = [...deployment.contractFile.findings];
  const pods = podEvents(deployment.target.history());
  return async (logsDirectory) => {
    const clock = podClock(record.events);
    const logged = await read(["pod-logs"], () =>
      loggedEvents(logsDirectory, { pods, clock, incomplete }),
    );
    const attempts = [...files, ...logged];
    const events = [
      ...published,
      ...protocol,
      ...attempts,
      ...effectEvents(effects, attempts),
      ...deadLetters,
      ...pods,
      ...record.events,
    ];
    const seen = eventsUntil(events, { endMs, deadLettersAtMs });
    const { unreadyMsMax } = deployment;
    return { events: seen, lacking, incomplete, contractFile, strangeFiles, unreadyMsMax };
  };
}

interface LogContext {
  readonly pods: readonly HistoryEvent[];
  readonly clock: ReturnType<typeof podClock>;
  /** Receives the reason when a log is missing or cut. */
  readonly incomplete: Map<Evidence, string>;
}

/** Reads the events in the logs of the app. Throws an Error when the logs could not be saved. */
async function loggedEvents(
  logsDirectory: string | undefined,
  { pods, clock, incomplete }: LogContext,
): Promise<HistoryEvent[]> {
  if (logsDirectory === undefined) throw new Error("they could not be saved");
  const logs = (await readLogs(logsDirectory)).filter(({ container }) => container === APP);
  const starts = pods.filter((event) => event.kind === "pod" && event.what === "started");
  const lost = starts.find(
    (event) => event.kind === "pod" && !logs.some(({ pod }) => pod === event.pod),
  );
  if (lost?.kind === "pod") incomplete.set("pod-logs", `there is no log of ${lost.pod}`);
  const cut = logs.find((log) => isCut(log));
  if (cut !== undefined) incomplete.set("pod-logs", `the log of ${cut.pod} is cut`);
  return logs.flatMap((log) => {
    const own = starts.filter((event) => event.kind === "pod" && event.pod === log.pod);
    return logEvents(log, own[log.restart]?.atMs ?? 0, clock);
  });
}

/**
 * Returns the events until `endMs` in the order of time. A commit that came while the dead letters
 * were counted may depend on one that came after the count, and is left out. `deadLettersAtMs` is
 * the time of the count.
 */
export function eventsUntil(
  events: readonly HistoryEvent[],
  { endMs, deadLettersAtMs }: { readonly endMs: number; readonly deadLettersAtMs: number },
): HistoryEvent[] {
  return events
    .filter(({ kind, atMs }) => atMs <= (kind === "committed" ? deadLettersAtMs : endMs))
    .toSorted((one, other) => one.atMs - other.atMs);
}

function lackingAt(
  abilities: TestDeployment["broker"]["abilities"],
): ReadonlyMap<Evidence, string> {
  if (abilities.has("broker-history")) return new Map();
  const reason = "the broker has no broker-history: it does not tell what it applied";
  return new Map(
    (["commits", "deliveries", "assignments"] as const).map((evidence) => [evidence, reason]),
  );
}
