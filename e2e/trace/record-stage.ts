import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stage } from "../stage.ts";
import type { StageRecord } from "./pod-lives.ts";
import { untilTime } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

/** Completes the record with the logs that lie in the directory by then. */
export type RecordedStage = (logsDirectory: string) => Promise<StageRecord>;

/** What is known of a stage's pods before it is taken down; logs are read later, when they are whole. `seesRequests`: of the broker. */
export async function recordStage(stage: Stage, seesRequests: boolean): Promise<RecordedStage> {
  const endMs = Date.now();
  const record = {
    replicas: stage.replicas,
    history: [...stage.target.history()],
    // Pods of the kit are reported too, and are none of the target's.
    events: stage.target
      .events()
      .filter(({ object }) => stage.target.lastSeen(object) !== undefined),
    activity: seesRequests ? [...(await stage.broker.clientActivity())] : [],
  };
  return async (directory) => ({ ...record, logs: await readLogs(directory, endMs) });
}

const NAME = /^(?<pod>[^.]+)\.(?<container>[^.]+)\.(?<restart>\d+)\.log$/;

/** As `Target.saveLogs` names them; what was printed later is left out. */
async function readLogs(directory: string, endMs: number): Promise<RunLog[]> {
  const logs: RunLog[] = [];
  for (const file of await readdir(directory)) {
    const { pod, container, restart } = NAME.exec(file)?.groups ?? {};
    if (pod === undefined || container === undefined) continue;
    const text = untilTime(await readFile(join(directory, file), "utf8"), endMs);
    logs.push({ pod, container, restart: Number(restart), text });
  }
  return logs;
}
