import type { Files } from "#consumer/ports.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import { FORMAT } from "#consumer/history/base/format.ts";
import { VIEW_FILE } from "#consumer/history/base/layout.ts";
import type { AtomicFiles } from "#consumer/history/base/atomic-files.ts";

/** Between two parts other work of the process goes on. */
const ENTRIES_PER_PART = 500;

export interface PublishedHead {
  /** When the journals were read for it. Milliseconds since the epoch. */
  readonly publishedAtMs: number;
  /** A change is shown at most this much later, while the volume works. */
  readonly freshnessMs: number;
}

/** Replaces the published view as a whole: who reads it sees the old one or the new one. */
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

/** The head of a view as a pod writes it; undefined when the file does not begin so. ENOENT when there is none. */
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
