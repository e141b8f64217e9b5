import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Broker } from "#e2e/brokers/broker.ts";
import type { Stage } from "#e2e/deployment/stage.ts";
import type { StageRecord } from "./pod-lives.ts";
import { untilTime } from "./run-log.ts";
import type { RunLog } from "./run-log.ts";

/** Completes the record with the logs that lie in the directory by then. */
export type RecordedStage = (logsDirectory: string) => Promise<StageRecord>;

/** What is known of a stage's pods before it is taken down; `logs` are read later, when they are whole. */
export async function recordStage(stage: Stage): Promise<RecordedStage> {
  const endMs = Date.now();
  const record = {
    replicas: stage.replicas,
    history: [...stage.target.history()],
    // Pods of the kit are reported too, and are none of the target's.
    events: stage.target
      .events()
      .filter(({ object }) => stage.target.lastSeen(object) !== undefined),
    activity: tellsRequests(stage.broker) ? await stage.broker.clientActivity() : [],
  };
  return async (directory) => ({ ...record, logs: await readLogs(directory, endMs) });
}

/** What a broker that does not tell them leaves out of every life. */
export function unseenAt(broker: Pick<Broker, "abilities">): readonly string[] {
  return tellsRequests(broker) ? [] : ["group left"];
}

function tellsRequests({ abilities }: Pick<Broker, "abilities">): boolean {
  return abilities.has("broker-requests");
}

const NAME = /^(?<pod>[^.]+)\.(?<container>[^.]+)\.(?<restart>\d+)\.log$/;

/** As `Target.saveLogs` names them. `endMs`: what was printed later, by the clock of its pod, is left out; default: nothing is. */
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
