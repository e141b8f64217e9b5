/** The output of one run of a container. */
export interface RunLog {
  readonly pod: string;
  readonly container: string;
  /** The number of restarts before this run. */
  readonly restart: number;
  readonly text: string;
}

/** The words of a pod's life that come from logs, and that may be missing where a log is cut. */
export const TOLD_BY_LOGS: readonly string[] = ["certificates", "group left", "signal SIGTERM"];

/**
 * Returns true when the log ended before its container did, because the node had no inotify instance left or the
 * connection was lost.
 */
export function isCut({ text }: Pick<RunLog, "text">): boolean {
  return /^failed to create fsnotify watcher|^\(the log ends here: (?!AbortError)/m.test(text);
}

/**
 * Returns the time at which a line with that event was printed first, in milliseconds since the epoch, or undefined
 * when there is none. The line must have the fields of `where`.
 */
export function timeOfEvent(
  log: RunLog | undefined,
  event: string,
  where: Readonly<Record<string, unknown>> = {},
): number | undefined {
  for (const line of (log?.text ?? "").split("\n")) {
    // Most lines belong to other events, and some are not JSON.
    if (!line.startsWith("{") || !line.includes(`"${event}"`)) continue;
    const fields = fieldsOf(line);
    const isIt =
      fields.event === event &&
      Object.entries(where).every(([name, value]) => fields[name] === value);
    if (isIt && typeof fields.time === "string") return Date.parse(fields.time);
  }
  return undefined;
}

/** Returns the text without the lines that were printed after that time, in milliseconds since the epoch. */
export function untilTime(text: string, atMs: number): string {
  const lines = text.split("\n");
  const late = lines.findIndex(
    (line) => line.startsWith("{") && Date.parse(String(fieldsOf(line).time)) > atMs,
  );
  return late === -1 ? text : lines.slice(0, late).join("\n");
}

/** Returns the fields of a log line, and no fields for a line that is cut or is not JSON. */
export function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    // The last line of a process that was killed may be cut.
    return {};
  }
}
