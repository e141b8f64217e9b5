/** What one run of a container printed. */
export interface RunLog {
  readonly pod: string;
  readonly container: string;
  /** Restarts before it. */
  readonly restart: number;
  readonly text: string;
}

/** What the life of a pod owes to logs, and lacks where one of them is cut. */
export const TOLD_BY_LOGS: readonly string[] = ["certificates", "group left", "signal SIGTERM"];

/** Following it ended before its container did: the node had no inotify instance left, or the connection was lost. */
export function isCut({ text }: Pick<RunLog, "text">): boolean {
  return /^failed to create fsnotify watcher|^\(the log ends here: (?!AbortError)/m.test(text);
}

/** When a line with that event was printed first, milliseconds since the epoch; undefined when there is none. `where`: fields that it has. */
export function timeOfEvent(
  log: RunLog | undefined,
  event: string,
  where: Readonly<Record<string, unknown>> = {},
): number | undefined {
  for (const line of (log?.text ?? "").split("\n")) {
    // Most lines are of other events, and some are no JSON.
    if (!line.startsWith("{") || !line.includes(`"${event}"`)) continue;
    const fields = fieldsOf(line);
    const isIt =
      fields.event === event &&
      Object.entries(where).every(([name, value]) => fields[name] === value);
    if (isIt && typeof fields.time === "string") return Date.parse(fields.time);
  }
  return undefined;
}

/** Without what was printed after that time, milliseconds since the epoch. */
export function untilTime(text: string, atMs: number): string {
  const lines = text.split("\n");
  const late = lines.findIndex(
    (line) => line.startsWith("{") && Date.parse(String(fieldsOf(line).time)) > atMs,
  );
  return late === -1 ? text : lines.slice(0, late).join("\n");
}

/** What a line of a log says; empty for one that is cut or no JSON. */
export function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    // The last line of a process that was killed may be cut.
    return {};
  }
}
