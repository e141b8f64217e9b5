import kafkajs, { type LogEntry } from "kafkajs";

import type { Log } from "#consumer/ports.ts";

/**
 * Where the lines of kafkajs go: as "kafkajs" with `namespace` and `detail`. It calls an error what is the ordinary
 * end of a connection or a generation; people who are paged by errors are told of these at a lower level. Its own
 * level "info" tells of every step and becomes "debug".
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

/** As kafkajs words them, by what the coordinator said. */
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
  // What breaks while we leave is cut by ourselves.
  if (given === "debug" || stopping) return "debug";
  const error: unknown = Reflect.get(log, "error");
  const text = `${log.message} ${typeof error === "string" ? error : ""}`;
  const expected = EXPECTED.find(({ pattern }) => pattern.test(text));
  return expected?.level ?? given;
}
