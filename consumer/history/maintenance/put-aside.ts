import { systemCode } from "#consumer/errors.ts";
import type { Clock, Files, Log, Metrics } from "#consumer/ports.ts";
import { isNoFile } from "#consumer/history/base/format.ts";
import { damagedViewPath, VIEW_FILE } from "#consumer/history/base/layout.ts";
import { readViewHead } from "#consumer/history/view/view-file.ts";

/**
 * Renames what stands in the place of the view without any content: an emptied file, the first bytes of a view, or a
 * directory. The view is published again, and the old file is kept under a name with the time for inspection. Any other
 * file is left alone, because it may be the history of an older consumer. Throws the volume's errors.
 */
export async function putAsideEmptyView(options: {
  readonly files: Files;
  readonly clock: Pick<Clock, "wallMs">;
  readonly log: Log;
  readonly metrics: Metrics;
  /** True when an older consumer keeps its history there, and an empty object means that it did nothing. */
  readonly isImported: boolean;
}): Promise<void> {
  const { files, clock, log, metrics, isImported } = options;
  if (!(await saysNothing(files, VIEW_FILE, isImported))) return;
  const keptAs = damagedViewPath(new Date(clock.wallMs()).toISOString());
  try {
    await files.rename(VIEW_FILE, keptAs);
  } catch (error) {
    // Another pod has renamed it.
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if (!(await saysNothing(files, keptAs, isImported))) {
    await putBack(files, keptAs);
    return;
  }
  await files.syncDirectory(".");
  metrics.count("storage_errors", { code: "damaged-view" });
  log.error("history.view.damaged", { file: VIEW_FILE, keptAs });
}

async function saysNothing(files: Files, file: string, isImported: boolean): Promise<boolean> {
  try {
    if (await readViewHead(files, file)) return false;
    return isEmpty(new TextDecoder().decode(await files.read(file)), isImported);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    // A symbolic link may lead to the history of an older consumer.
    if (isNoFile(error)) return systemCode(error) !== "ELOOP";
    throw error;
  }
}

function isEmpty(text: string, isImported: boolean): boolean {
  const said = text.replaceAll(/[\s\0\uFEFF]/g, "");
  if (said === "{}") return !isImported;
  return ["", "[]", "null"].includes(said) || HEAD.startsWith(said.replaceAll(/\d[\d.]*/g, "0"));
}

/** The beginning of every view, with each number as 0. */
const HEAD = '{"format":0,"publishedAtMs":0,';

/** Puts back a file that was written while it was checked. */
async function putBack(files: Files, keptAs: string): Promise<void> {
  try {
    await files.link(keptAs, VIEW_FILE);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    return;
  }
  await files.unlink(keptAs);
}
