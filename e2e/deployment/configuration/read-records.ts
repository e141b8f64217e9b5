import type { Config } from "#consumer/config/load-config.ts";
import { readInput } from "#consumer/operations/rules/input-record.ts";
import { shiftIncidents } from "./shift-incidents.ts";
import type { PlayedRecord } from "./shift-incidents.ts";

/** Reads the records of files and directories, with starts that are young now. Throws "usage". */
export async function readRecords(
  paths: readonly string[],
  config: Pick<Config, "incident" | "rules">,
): Promise<readonly PlayedRecord[]> {
  const records = await Array.fromAsync(
    readInput(paths, process.stdin, new AbortController().signal),
  );
  return shiftIncidents(records, config, Date.now());
}
