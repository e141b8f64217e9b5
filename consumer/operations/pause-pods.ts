import { messageOf, systemCode } from "#consumer/errors.ts";
import {
  JOURNAL_DIRECTORY,
  PAUSE_FILE,
  PAUSE_SEEN_DIRECTORY,
} from "#consumer/history/base/layout.ts";
import {
  PAUSE_DELAY_MS,
  PAUSE_SEEN_MS_MAX,
  readPauseSeen,
} from "#consumer/history/control/pause-file.ts";
import type { PauseOrder, PauseSeen } from "#consumer/history/control/pause-file.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import { readVolume } from "./volume.ts";

/** The pods that the volume knows, by what they know of an order. */
export interface KnownPods {
  /** The names of the pods that have read the order. */
  readonly acknowledged: readonly string[];
  /** Live pods that have not, and what was heard of each. */
  readonly missing: readonly string[];
  /** Pods that have not, and that nobody has heard of for some time: dead, or hanging. */
  readonly silent: readonly string[];
  /** Journals that are not sealed and whose pods have never acknowledged anything. */
  readonly unknown: readonly string[];
  /** Acknowledgements that cannot be read, one line each. */
  readonly unreadable: readonly string[];
}

/** A pod looks every 5 s, and needs a moment to read and to answer. */
const ACKNOWLEDGE_MS_MAX = 2 * PAUSE_DELAY_MS;
const POLL_MS = 500;

interface ReadablePods {
  readonly files: Pick<Files, "list" | "modifiedMs" | "read" | "readFrom">;
  readonly directory: string;
}

/** Waits until every live pod has acknowledged the order, but for 10 s at most, or until `stop` aborts. */
export async function awaitPods(
  order: PauseOrder,
  volume: ReadablePods,
  clock: Clock,
  stop: AbortSignal,
): Promise<KnownPods> {
  const endMs = clock.monotonicMs() + ACKNOWLEDGE_MS_MAX;
  for (;;) {
    const pods = await findPods(order, volume);
    const isOver = pods.missing.length === 0;
    if (isOver || stop.aborted || clock.monotonicMs() >= endMs) return pods;
    await clock.sleep(POLL_MS, stop).catch(() => undefined);
  }
}

async function findPods(
  { id }: PauseOrder,
  { files, directory }: ReadablePods,
): Promise<KnownPods> {
  // The order was written a moment ago: its time stamp is the present by the clock of the file server.
  const nowMs = await files.modifiedMs(PAUSE_FILE);
  const { lastOf, unreadable } = await readAllSeen(files);
  const acknowledged: string[] = [];
  const missing: string[] = [];
  const silent: string[] = [];
  for (const { seen, atMs } of lastOf.values()) {
    const text = `${seen.pod}, last heard of at ${new Date(atMs).toISOString()}`;
    if (seen.id === id) acknowledged.push(seen.pod);
    else if (nowMs - atMs > PAUSE_SEEN_MS_MAX) silent.push(text);
    else missing.push(text);
  }
  const unknown = await unsealedJournals(new Set(lastOf.keys()), { files, directory });
  return { acknowledged, missing, silent, unknown, unreadable };
}

interface Found {
  readonly seen: PauseSeen;
  /** The time at which it was written last, by the clock of the file server. */
  readonly atMs: number;
}

/**
 * Returns the last acknowledgement of each pod, by its uid as names of files have it. A container that was killed
 * leaves its file beside that of the next one in the same pod.
 */
async function readAllSeen(
  files: ReadablePods["files"],
): Promise<{ readonly lastOf: ReadonlyMap<string, Found>; readonly unreadable: string[] }> {
  const lastOf = new Map<string, Found>();
  const unreadable: string[] = [];
  for (const name of (await listed(files, PAUSE_SEEN_DIRECTORY)).toSorted()) {
    try {
      const found = await readFound(`${PAUSE_SEEN_DIRECTORY}/${name}`, files);
      if (!found) continue;
      const uid = found.seen.uid.replaceAll(/[^\w.-]/g, "_");
      const last = lastOf.get(uid);
      if (!last || last.atMs <= found.atMs) lastOf.set(uid, found);
    } catch (error) {
      unreadable.push(messageOf(error));
    }
  }
  return { lastOf, unreadable };
}

async function readFound(path: string, files: ReadablePods["files"]): Promise<Found | undefined> {
  try {
    const seen = await readPauseSeen(files, path);
    return seen && { seen, atMs: await files.modifiedMs(path) };
  } catch (error) {
    // Its process has ended.
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A pod of an older version acknowledges nothing; its journal shows that it may be there. */
async function unsealedJournals(
  uids: ReadonlySet<string>,
  { files, directory }: ReadablePods,
): Promise<string[]> {
  const { history } = await readVolume(files, directory);
  const found: string[] = [];
  for (const { path, sealed, lastAtMs } of history.journals) {
    const [, uid = ""] =
      /^(.+)-[0-9a-f]+\.log$/.exec(path.slice(JOURNAL_DIRECTORY.length + 1)) ?? [];
    if (sealed || uid === "operator" || uids.has(uid)) continue;
    const at =
      lastAtMs === undefined ? "no record" : `last record ${new Date(lastAtMs).toISOString()}`;
    found.push(`${path}, ${at}`);
  }
  return found;
}

async function listed(files: Pick<Files, "list">, directory: string): Promise<string[]> {
  try {
    return await files.list(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Describes the pods, one line for each, and what this list cannot tell. */
export function describePods(pods: KnownPods, paused: boolean): string[] {
  const lines = [
    ...pods.acknowledged.map((pod) => `acknowledged: ${pod}`),
    ...pods.missing.map((pod) => `NOT acknowledged: ${pod}`),
    ...pods.silent.map((pod) => `not acknowledged, dead or hanging: ${pod}`),
    ...pods.unknown.map((path) => `never acknowledged, of an older version or dead: ${path}`),
    ...pods.unreadable.map((fault) => `cannot be read: ${fault}`),
  ];
  if (lines.length === 0) lines.push("no pod has acknowledged anything on this volume");
  if (!paused) return lines;
  return [
    ...lines,
    "A live pod that is not named here is of an older version, which ignores the pause, or has started within the",
    "last two minutes: compare with kubectl get pods.",
  ];
}
