import kafkajs from "kafkajs";
import type { LogEntry } from "kafkajs";

import type { Log } from "#consumer/ports.ts";

/**
 * Returns the log of kafkajs: its lines go out as the event "kafkajs" with `namespace` and `detail`. kafkajs logs the
 * ordinary end of a connection or a generation as an error; these get a lower level here, so that nobody is paged for
 * them. Its own level "info" reports every step and becomes "debug".
 */
export function createKafkajsLog(log: Log, stopping: AbortSignal): (entry: LogEntry) => void {
  return (entry) => {
    const { message, timestamp: _timestamp, logger: _logger, ...fields } = entry.log;
    const write = log[levelOf(entry, stopping.aborted)].bind(log);
    write("kafkajs", { namespace: entry.namespace, detail: message, ...fields });
  };
}

const LEVEL: Readonly<Record<number, keyof Log>> = {
  [kafkajs.logLevel.ERROR]: "error",
  [kafkajs.logLevel.WARN]: "warn",
};

/** The messages as kafkajs words them, by the answer of the coordinator. */
const EXPECTED: readonly { readonly pattern: RegExp; readonly level: keyof Log }[] = [
  /** REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED: a member came or went. */
  { pattern: /group is rebalancing|required to have a member ID/i, level: "info" },
  /** ILLEGAL_GENERATION: the answer to a heartbeat or commit that met the new generation. */
  { pattern: /group generation id is not valid/i, level: "info" },
  /** UNKNOWN_MEMBER_ID: the session had expired; the member joins again. */
  { pattern: /coordinator is not aware of this member/i, level: "warn" },
];

function levelOf({ level, log }: LogEntry, stopping: boolean): keyof Log {
  const given = LEVEL[level] ?? "debug";
  // Connections that break while the member leaves are cut by this process itself.
  if (given === "debug" || stopping) return "debug";
  const error: unknown = Reflect.get(log, "error");
  const text = `${log.message} ${typeof error === "string" ? error : ""}`;
  const expected = EXPECTED.find(({ pattern }) => pattern.test(text));
  return expected?.level ?? given;
}
