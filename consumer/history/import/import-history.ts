import { createHash } from "node:crypto";
import { posix } from "node:path";
import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Files, Log } from "#consumer/ports.ts";
import { type HistoryEntry, IMPORTED } from "#consumer/history/base/entry.ts";
import { checkFormat, isNoFile } from "#consumer/history/base/format.ts";
import { type ImportedRecord, parseImport } from "./import-file.ts";
import { importedKey } from "./import-key.ts";
import { readViewHead } from "#consumer/history/view/view-file.ts";
import { IMPORTED_DIRECTORY, importedPath, VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

export interface ImportSettings {
  /** Below the history directory. */
  readonly file: string;
  /** See IMPORT_PLACEHOLDERS. */
  readonly keyTemplate: string;
}

export interface ImportOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  readonly log: Log;
  readonly settings: ImportSettings | undefined;
}

/** The history of an older consumer that was found. */
export interface FoundImport {
  readonly entries: readonly HistoryEntry[];
  /** Call it when the entries are durable: keeps a copy of the file, and this content is not imported again. */
  finish(): Promise<void>;
}

/**
 * What an older consumer executed, as entries for the index; undefined when there is nothing (new) to import. Throws
 * "history-unreadable" and leaves the file untouched when it is something else, a view of a newer version, or
 * the history of an older consumer although no import is configured: it would be replaced without having
 * suppressed anything.
 */
export async function readImport(options: ImportOptions): Promise<FoundImport | undefined> {
  const { files, atomicFiles, log, settings } = options;
  const file = settings?.file ?? VIEW_FILE;
  // Our view takes this name: it must be free of what is not imported.
  if (file !== VIEW_FILE && (await foreign(VIEW_FILE, options))) {
    throw unexpected(VIEW_FILE);
  }
  const bytes = await foreign(file, options);
  if (!bytes) return undefined;
  if (!settings) throw unexpected(file);

  const kept = importedPath(createHash("sha256").update(bytes).digest("hex"));
  await files.makeDirectory(IMPORTED_DIRECTORY);
  if ((await files.list(IMPORTED_DIRECTORY)).includes(posix.basename(kept))) return undefined;
  const records = parseImport(bytes, file, settings.keyTemplate);
  return {
    entries: records.map(imported),
    async finish() {
      await atomicFiles.link(kept, [bytes]);
      await files.syncDirectory(IMPORTED_DIRECTORY);
      log.info("history.imported", { file, keys: records.length });
    },
  };
}

/** True when the history to import has a name of its own, is not there, and none was imported before: it may be mistyped. */
export async function isImportMissing({
  files,
  settings,
}: Pick<ImportOptions, "files" | "settings">): Promise<boolean> {
  if (settings === undefined || settings.file === VIEW_FILE) return false;
  try {
    await files.readFrom(settings.file, 0, 1);
    return false;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await files.makeDirectory(IMPORTED_DIRECTORY);
  return (await files.list(IMPORTED_DIRECTORY)).length === 0;
}

function unexpected(file: string): ConsumerError {
  return new ConsumerError(
    "history-unreadable",
    `${file}: no file of this consumer, left as it is: history.import tells how to take over the history of an older one`,
  );
}

/** The content of a file that is there and not our view. */
async function foreign(file: string, { files }: ImportOptions): Promise<Uint8Array | undefined> {
  try {
    const head = await readViewHead(files, file);
    if (head) {
      checkFormat(head.format, file);
      return undefined;
    }
    const bytes = await files.read(file);
    return isView(bytes, file) ? undefined : bytes;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (!isNoFile(error)) throw error;
    throw new ConsumerError(
      "history-unreadable",
      `${file}: a symbolic link or no file at all, left as it is: the file itself must stand there`,
      { cause: error },
    );
  }
}

/** Our view, written in another way: by a person, or a tool. */
function isView(bytes: Uint8Array, file: string): boolean {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return false;
  }
  const view = viewSchema.safeParse(value);
  if (view.success) checkFormat(view.data.format, file);
  return view.success;
}

/** Keys that are none of ours would be replaced without having suppressed anything. */
const viewSchema = z.object({
  format: z.int(),
  entries: z.record(z.string().regex(/^[0-9a-f]{64}$/), z.unknown()),
});

function imported({ key, atMs }: ImportedRecord): HistoryEntry {
  return {
    key: importedKey(key),
    rule: IMPORTED,
    action: IMPORTED,
    // What people look for.
    incidentId: key,
    transition: IMPORTED,
    startedOnMs: atMs,
    attempt: 1,
    outcome: "done",
    atMs,
    pod: IMPORTED,
    deadLetterAcknowledged: false,
  };
}
