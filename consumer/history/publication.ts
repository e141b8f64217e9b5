import type { Files } from "../ports.ts";
import type { HistoryEntry } from "./entry.ts";
import { FORMAT } from "./format.ts";
import type { TemporaryFiles } from "./temporary.ts";

/** What people and tools read; never read back. */
const PUBLISHED_FILE = "automation_action_history.json";

/** Between two parts other work of the process goes on. */
const ENTRIES_PER_PART = 500;

/** Replaces the published view as a whole: who reads it sees the old one or the new one. */
export async function publish(
  options: { files: Files; temporary: TemporaryFiles; publishedAtMs: number },
  entries: Iterable<HistoryEntry>,
): Promise<void> {
  const { files, temporary, publishedAtMs } = options;
  const path = await temporary.write(encodeParts(publishedAtMs, entries));
  try {
    await files.rename(path, PUBLISHED_FILE);
  } catch (error) {
    await temporary.remove(path);
    throw error;
  }
  await files.syncDirectory(".");
}

function* encodeParts(publishedAtMs: number, entries: Iterable<HistoryEntry>): Generator<Buffer> {
  let part = `{"format":${FORMAT},"publishedAtMs":${publishedAtMs},"entries":{`;
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
