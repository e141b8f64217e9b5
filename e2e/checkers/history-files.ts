import { isJsonObject, type JsonObject } from "#consumer/json.ts";

/**
 * The write-once files of a history volume, read the way an auditor would: by their names and their JSON,
 * without the consumer's code, so that a fault in that code cannot hide itself.
 */
export interface HistoryFiles {
  readonly claims: readonly AttemptFile[];
  readonly outcomes: readonly AttemptFile[];
  /** What nobody could have written below CLAIMS: files in a wrong place, of a wrong name, torn, or about something else; each with the reason. */
  readonly strange: readonly string[];
}

export interface AttemptFile {
  /** Path below the volume's root. */
  readonly path: string;
  /** The action key, which is a sha256, from the name. */
  readonly key: string;
  readonly attempt: number;
  readonly content: JsonObject;
}

/** Where they are on the volume. */
export const CLAIMS = "claims";

/** `<shard>/<key>.<attempt>.<kind>`; a resolution is what an operator found out. Files that are being written live elsewhere. */
const NAME = /^([0-9a-f]{2})\/([0-9a-f]{64})\.([1-9]\d*)\.(claim|outcome|resolution)$/;
/** A file that was removed while a client of NFS still had it open. */
const REMOVED = /(?:^|\/)\.nfs[^/]*$/;

/** `tree`: every file below CLAIMS, by its path from there. */
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
    else if (content.format !== 1)
      strange.push(`${path}: format is ${String(content.format)}, not 1`);
    else if (content.key !== key) strange.push(`${path}: is about key ${String(content.key)}`);
    else if (kind !== "resolution") {
      const file = { path, key, attempt: Number(attempt), content };
      (kind === "claim" ? claims : outcomes).push(file);
    }
  }
  return { claims, outcomes, strange };
}

/** undefined for anything else, a torn file included. */
export function parseObject(bytes: Uint8Array | undefined): JsonObject | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
