import { createHash } from "node:crypto";

import { ConsumerError } from "#consumer/errors.ts";

/*
 * Every path of the history volume, relative to the history directory:
 *
 *   claims/<first two digits of the key>/<key>.<attempt>.claim, .outcome and .resolution
 *   journal/<pod uid>-<nonce>.log
 *   snapshot/<generation>
 *   temporary/<writer>.<number>
 *   imported/<hash of the content>.json
 *   limits/<sha256 of the rule>/<number>.run, <day>.<run>.decision and head
 *   limits/per-<sha256 of the rule, fields and values>/<number>.run and head
 *   control/horizon/<pod uid>-<nonce>.json
 *   control/pause.json
 *   control/pause-seen/<pod uid>-<nonce>.json
 *   control/standstills/<topic>/<partition>.json
 *   control/skips/<topic>/<partition>/<offset>-<fingerprint>.json
 *   automation_action_history.json
 */

/** The published view, which people and tools read; automation_action_history.schema.json describes it. */
export const VIEW_FILE = "automation_action_history.json";

export const CLAIMS_DIRECTORY = "claims";
export const JOURNAL_DIRECTORY = "journal";
export const SNAPSHOT_DIRECTORY = "snapshot";
/**
 * Holds files until they get their names. It is a directory of its own, so that what a dead pod left is never mistaken
 * for anything else.
 */
export const TEMPORARY_DIRECTORY = "temporary";
/** Holds a copy of every imported history. */
export const IMPORTED_DIRECTORY = "imported";
/** Holds a directory for each rule with limits, named by the sha256 of the rule's name. */
export const LIMITS_DIRECTORY = "limits";
export const HORIZON_DIRECTORY = "control/horizon";
export const CONTROL_DIRECTORY = "control";
/** Tells whether an operator has paused the work. */
export const PAUSE_FILE = "control/pause.json";
/** Holds a file for each process, by which it acknowledges that it has read the last order to pause or to resume. */
export const PAUSE_SEEN_DIRECTORY = "control/pause-seen";

export type AttemptFileKind = "claim" | "outcome" | "resolution";

/** The name of a file of one attempt, as it stands in a directory of claims. */
export interface AttemptName {
  readonly key: string;
  readonly attempt: number;
  readonly kind: AttemptFileKind;
}

/** The number of directories below `claims`: one for each first byte of a key. */
export const CLAIM_SHARDS = 256;

const KEY = /^[0-9a-f]{64}$/;
const SHARD_NAME = /^[0-9a-f]{2}$/;
const ATTEMPT_NAME = /^([0-9a-f]{64})\.([1-9]\d{0,5})\.(claim|outcome|resolution)$/;
const SNAPSHOT_NAME = /^[1-9]\d{0,8}$/;

/** Returns the directory of shard `number`, 0 to 255. */
export function claimsDirectory(number: number): string {
  return `${CLAIMS_DIRECTORY}/${number.toString(16).padStart(2, "0")}`;
}

/** Returns the directory that holds every file of a key. Throws "internal" when the key is not a sha256 in hex. */
export function claimsDirectoryOf(key: string): string {
  if (!KEY.test(key)) {
    throw new ConsumerError("internal", `action key ${JSON.stringify(key)} is not a sha256 in hex`);
  }
  return `${CLAIMS_DIRECTORY}/${key.slice(0, 2)}`;
}

/** Returns the path of one file of an attempt. Throws "internal" when the key is not a sha256 in hex. */
export function attemptPath(key: string, attempt: number, kind: AttemptFileKind): string {
  return `${claimsDirectoryOf(key)}/${key}.${attempt}.${kind}`;
}

export function isShardName(name: string): boolean {
  return SHARD_NAME.test(name);
}

/** Returns undefined for every name that no attempt has. */
export function parseAttemptName(name: string): AttemptName | undefined {
  const [, key, attempt, kind] = ATTEMPT_NAME.exec(name) ?? [];
  if (key === undefined) return undefined;
  if (kind !== "claim" && kind !== "outcome" && kind !== "resolution") return undefined;
  return { key, attempt: Number(attempt), kind };
}

/** Returns the path of a journal. `writer` begins the name: the uid of the pod, or "operator". */
export function journalPath(writer: string, nonce: string): string {
  return `${JOURNAL_DIRECTORY}/${writer}-${nonce}.log`;
}

/** `generation` counts from 1. */
export function snapshotPath(generation: number): string {
  return `${SNAPSHOT_DIRECTORY}/${generation}`;
}

export function isSnapshotName(name: string): boolean {
  return SNAPSHOT_NAME.test(name);
}

/** `name` begins with what identifies the process that writes the file. */
export function temporaryPath(name: string): string {
  return `${TEMPORARY_DIRECTORY}/${name}`;
}

export function horizonPath(podUid: string, nonce: string): string {
  return `${HORIZON_DIRECTORY}/${podUid}-${nonce}.json`;
}

/** Returns the path of the acknowledgement of a process; `writer` is the uid of its pod and a nonce. */
export function pauseSeenPath(writer: string): string {
  return `${PAUSE_SEEN_DIRECTORY}/${writer}.json`;
}

/** Returns the path of the copy of an imported history with this sha256. */
export function importedPath(hash: string): string {
  return `${IMPORTED_DIRECTORY}/${hash.slice(0, 16)}.json`;
}

/** Returns the name under which a damaged view is kept. `time` is an ISO 8601 time. */
export function damagedViewPath(time: string): string {
  return `${VIEW_FILE}.damaged-${time.replaceAll(/[:.]/g, "-")}`;
}

/** Returns the directory that holds the runs and decisions of a rule. */
export function limitsDirectoryOf(rule: string): string {
  return `${LIMITS_DIRECTORY}/${createHash("sha256").update(rule).digest("hex")}`;
}

const VALUE_CHAIN = "per-";

/** Returns the directory that holds the runs of a rule for one combination of values. */
export function limitsDirectoryOfValues(
  rule: string,
  fields: readonly string[],
  values: readonly (string | null)[],
): string {
  const identity = JSON.stringify([rule, fields, values]);
  return `${LIMITS_DIRECTORY}/${VALUE_CHAIN}${createHash("sha256").update(identity).digest("hex")}`;
}

/** Returns whether a directory below `limits` holds the runs of one combination of values. */
export function isValueChain(name: string): boolean {
  return name.startsWith(VALUE_CHAIN);
}

/** Returns the path of the file in which a pod describes the standstill of a partition. Throws "usage". */
export function standstillPath(topic: string, partition: number): string {
  return `control/standstills/${requireTopic(topic)}/${partition}.json`;
}

export interface SkippedPositions {
  readonly topic: string;
  readonly partition: number;
  /** The first of the positions, in decimal. */
  readonly offset: string;
  /** Identifies the bytes that lie there, in hex. */
  readonly fingerprint: string;
}

/** Returns the path of an operator's order to skip positions. Throws "usage". */
export function skipOrderPath(positions: SkippedPositions): string {
  const { topic, partition, offset, fingerprint } = positions;
  return `control/skips/${requireTopic(topic)}/${partition}/${offset}-${fingerprint}.json`;
}

/** Returns the directory of a path, "." for a name without one. */
export function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end);
}

/** Every name that Kafka allows for a topic can name a directory. Throws "usage" for any other. */
function requireTopic(topic: string): string {
  if (/^[\w.-]{1,249}$/.test(topic) && topic !== "." && topic !== "..") return topic;
  throw new ConsumerError("usage", `${topic} is not the name of a topic`);
}
