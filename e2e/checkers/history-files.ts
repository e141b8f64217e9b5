import { isJsonObject } from "#consumer/json.ts";
import type { JsonObject } from "#consumer/json.ts";

/**
 * The write-once files of a history volume, read as an auditor would: by their names and their
 * JSON, without the consumer's code, so that a fault in that code cannot hide itself.
 */
export interface HistoryFiles {
  readonly claims: readonly AttemptFile[];
  readonly outcomes: readonly AttemptFile[];
  /**
   * Files below CLAIMS that no correct writer leaves: in a wrong place, with a wrong name, torn, or
   * about something else; each with the reason.
   */
  readonly strange: readonly string[];
}

export interface AttemptFile {
  /** The path below the root of the volume. */
  readonly path: string;
  /** The action key from the name, which is a sha256. */
  readonly key: string;
  readonly attempt: number;
  readonly content: JsonObject;
}

/*
 * The names are restated here on purpose, and not taken from consumer/history/base/layout.ts: what the consumer writes
 * under another name is a finding.
 */
const CLAIMS = "claims";

/**
 * Names are `<shard>/<key>.<attempt>.<kind>`. A resolution is what an operator found out. Files
 * that are being written are elsewhere.
 */
const NAME = /^([0-9a-f]{2})\/([0-9a-f]{64})\.([1-9]\d*)\.(claim|outcome|resolution)$/;
/** A file that was removed while an NFS client still had it open. */
const REMOVED = /(?:^|\/)\.nfs[^/]*$/;

/** `tree` holds every file below CLAIMS, by its path from there. */
export function readHistoryFiles(tree: ReadonlyMap<string, Uint8Array>): HistoryFiles {
  const claims: AttemptFile[] = [];
  const outcomes: AttemptFile[] = [];
  const strange: string[] = [];
  for (const [name, bytes] of tree) {
    if (REMOVED.test(name)) continue;
    const path = `${CLAIMS}/${name}`;
    const parts = NAME.exec(name);
    if (parts === null) {
      strange.push(`${path}: is the name of no claim and no outcome`);
      continue;
    }
    const [, shard = "", key = "", attempt = "", kind] = parts;
    if (!key.startsWith(shard)) strange.push(`${path}: belongs into ${CLAIMS}/${key.slice(0, 2)}`);
    const content = parseObject(bytes);
    if (content === undefined) strange.push(`${path}: is not a JSON object`);
    else if (content.format !== 1) {
      strange.push(`${path}: format is ${String(content.format)}, not 1`);
    } else if (content.key !== key) strange.push(`${path}: is about key ${String(content.key)}`);
    else if (kind !== "resolution") {
      const file = { path, key, attempt: Number(attempt), content };
      (kind === "claim" ? claims : outcomes).push(file);
    }
  }
  return { claims, outcomes, strange };
}

/** Returns undefined for anything but a JSON object, including a torn file. */
export function parseObject(bytes: Uint8Array | undefined): JsonObject | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
