import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { untilTime } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

const NAME = /^(?<pod>[^.]+)\.(?<container>[^.]+)\.(?<restart>\d+)\.log$/;

/**
 * Reads the logs of a directory, which are named as `Target.saveLogs` names them. Lines that were printed after
 * `endMs`, by the clock of their pod, are left out. Defaults to reading all lines.
 */
export async function readLogs(
  directory: string,
  endMs = Number.POSITIVE_INFINITY,
): Promise<RunLog[]> {
  const logs: RunLog[] = [];
  for (const file of await readdir(directory)) {
    const { pod, container, restart } = NAME.exec(file)?.groups ?? {};
    if (pod === undefined || container === undefined) continue;
    const text = untilTime(await readFile(join(directory, file), "utf8"), endMs);
    logs.push({ pod, container, restart: Number(restart), text });
  }
  return logs;
}
