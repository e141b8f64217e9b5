import { createHash } from "node:crypto";
import { posix } from "node:path";
import { z } from "zod";
import { ConsumerError, systemCode } from "#consumer/errors.ts";
import type { Files, Log } from "#consumer/ports.ts";
import { IMPORTED } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { checkFormat, isNoFile } from "#consumer/history/base/format.ts";
import { parseImport } from "./import-file.ts";
import type { ImportedRecord } from "./import-file.ts";
import { importedKey } from "./import-key.ts";
import { readViewHead } from "#consumer/history/view/view-file.ts";
import { IMPORTED_DIRECTORY, importedPath, VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

export interface ImportSettings {
  /** The path of the file, relative to the history directory. */
  readonly file: string;
  /** Builds the key of an older consumer from the placeholders of IMPORT_PLACEHOLDERS. */
  readonly keyTemplate: string;
}

export interface ImportOptions {
  readonly files: Files;
  readonly atomicFiles: AtomicFiles;
  readonly log: Log;
  readonly settings: ImportSettings | undefined;
}

/** The history of an older consumer, found and not yet imported. */
export interface FoundImport {
  readonly entries: readonly HistoryEntry[];
  /** Keeps a copy of the file, so that this content is not imported again. Call it when the entries are durable. */
  finish(): Promise<void>;
}

/**
 * Reads the history of an older consumer; returns undefined when nothing new is to be imported. Throws
 * "history-unreadable" and leaves the file untouched when it is neither a history nor a view, when it is a view of a
 * newer version, or when no import is configured: the view would then replace it before it had suppressed anything.
 */
export async function readImport(options: ImportOptions): Promise<FoundImport | undefined> {
  const { files, atomicFiles, log, settings } = options;
  const file = settings?.file ?? VIEW_FILE;
  // The view takes this name, so no file that is not imported may stand there.
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

/** Tells whether the file to import is absent although nothing was ever imported: its name may be mistyped. */
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
    `${file}: not a file of this consumer, left as it is: configure history.import to take over an older history`,
  );
}

/** Returns the content of the file, or undefined when it is absent or is the view. */
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
      `${file}: a symbolic link or not a regular file, left as it is: put the file itself there`,
      { cause: error },
    );
  }
}

/** Tells whether this is the view, rewritten by a person or a tool. */
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

/** A file with any other key is not the view: replacing it would lose that key before it suppressed anything. */
const viewSchema = z.object({
  format: z.int(),
  entries: z.record(z.string().regex(/^[0-9a-f]{64}$/), z.unknown()),
});

function imported({ key, atMs }: ImportedRecord): HistoryEntry {
  return {
    key: importedKey(key),
    rule: IMPORTED,
    action: IMPORTED,
    // People search for the key.
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
