import type { Files } from "#consumer/ports.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { FORMAT } from "#consumer/history/base/format.ts";
import { VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

/** The number of entries in one part. Other work of the process can run between two parts. */
const ENTRIES_PER_PART = 500;

export interface PublishedHead {
  /** The time at which the journals were read, in milliseconds since the epoch. */
  readonly publishedAtMs: number;
  /** The time within which a change is shown while the volume works, in milliseconds. */
  readonly freshnessMs: number;
}

/** Replaces the published view as a whole, so that a reader sees either the old one or the new one. */
export async function publish(
  options: { files: Files; atomicFiles: AtomicFiles; head: PublishedHead },
  entries: Iterable<HistoryEntry>,
): Promise<void> {
  const { files, atomicFiles, head } = options;
  await atomicFiles.replace(VIEW_FILE, encodeParts(head, entries));
  await files.syncDirectory(".");
}

const HEAD_BYTES = 128;
const HEAD = /^\{"format":(\d+),"publishedAtMs":([\d.]+),/;

/** Reads the head of a view; returns undefined when the file has another beginning. Throws ENOENT when it is absent. */
export async function readViewHead(
  files: Pick<Files, "readFrom">,
  file = VIEW_FILE,
): Promise<{ readonly format: number; readonly publishedAtMs: number } | undefined> {
  const bytes = await files.readFrom(file, 0, HEAD_BYTES);
  const [, format, publishedAtMs] = HEAD.exec(new TextDecoder().decode(bytes)) ?? [];
  return format === undefined
    ? undefined
    : { format: Number(format), publishedAtMs: Number(publishedAtMs) };
}

function* encodeParts(head: PublishedHead, entries: Iterable<HistoryEntry>): Generator<Buffer> {
  const { publishedAtMs, freshnessMs } = head;
  let part = `{"format":${FORMAT},"publishedAtMs":${publishedAtMs},"freshnessMs":${freshnessMs},"entries":{`;
  let count = 0;
  for (const entry of entries) {
    const { key, deadLetterAcknowledged: _acknowledged, ...shown } = entry;
    part += `${count === 0 ? "" : ","}\n${JSON.stringify(key)}:${JSON.stringify(shown)}`;
    count += 1;
    if (count % ENTRIES_PER_PART === 0) {
      yield Buffer.from(part);
      part = "";
    }
  }
  yield Buffer.from(`${part}\n}}\n`);
}
