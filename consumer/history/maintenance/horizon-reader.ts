import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import { parseVersioned } from "#consumer/history/base/format.ts";
import { HORIZON_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { Files } from "#consumer/ports.ts";

const READ_TRIES_MAX = 3;

const schema = z.object({
  startedOnMs: z.number().min(0),
  /** Identifies the content, so that no two writes are equal. */
  nonce: z.string(),
});

/**
 * Reads every file of the horizon, by its path, and also the own file of this process, which a listing may lack.
 *
 * A file that is listed but gone was folded into a file that every client lists by now. That file may have been
 * opened before it was written, so all files are opened again until none has gone.
 */
export async function readContents(
  files: Files,
  own: () => string | undefined,
): Promise<Map<string, Uint8Array>> {
  const gone = new Set<string>();
  for (;;) {
    const goneBefore = gone.size;
    const listed = await files.list(HORIZON_DIRECTORY);
    const paths = new Set(listed.filter(isHorizonName).map((one) => `${HORIZON_DIRECTORY}/${one}`));
    const ownPath = own();
    if (ownPath !== undefined) paths.add(ownPath);
    const contents = new Map<string, Uint8Array>();
    const read = async (path: string): Promise<void> => {
      const bytes = await contentOf(files, path);
      if (bytes) contents.set(path, bytes);
      else gone.add(path);
    };
    await Promise.all([...paths].map(read));
    if (gone.size === goneBefore) return contents;
  }
}

async function contentOf(files: Files, path: string): Promise<Uint8Array | undefined> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await files.read(path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT") return undefined;
      // The file was replaced while it was read.
      if (code !== "ESTALE" || tries === READ_TRIES_MAX) throw error;
    }
  }
}

/** Leaves out the files that an NFS client keeps for a file that was removed while it was open. */
function isHorizonName(name: string): boolean {
  return name.endsWith(".json") && !name.startsWith(".");
}

/** Parses the content of one file. Throws "history-unreadable" when it cannot be understood. */
export function parseHorizon(bytes: Uint8Array, path: string): { startedOnMs: number } {
  try {
    return parseVersioned(schema, bytes, path);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ConsumerError(
      "history-unreadable",
      `${message}; without it nobody knows up to which start claims were swept, so nothing begins: restore this file`,
      { cause },
    );
  }
}

/** Remembers since when each file has been unchanged. */
export interface SeenFiles {
  /** Notes the content of a file at a monotonic time. */
  note(path: string, bytes: Uint8Array, nowMs: number): void;
  /** Forgets the files that are not among these. */
  keepOnly(present: ReadonlyMap<string, unknown>): void;
  /** Returns the paths of the files that have not changed since before that monotonic time. */
  unchangedSince(beforeMs: number): string[];
}

export function createSeenFiles(): SeenFiles {
  const seen = new Map<string, { readonly text: string; readonly sinceMs: number }>();
  return {
    note(path, bytes, nowMs) {
      const text = Buffer.from(bytes).toString("latin1");
      if (seen.get(path)?.text !== text) seen.set(path, { text, sinceMs: nowMs });
    },
    keepOnly(present) {
      for (const path of seen.keys()) if (!present.has(path)) seen.delete(path);
    },
    unchangedSince: (beforeMs) =>
      [...seen].filter(([, { sinceMs }]) => sinceMs < beforeMs).map(([path]) => path),
  };
}
