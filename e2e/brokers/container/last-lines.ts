const LAST_LINES = 20;

/** Returns the last lines of a log, each indented on a line of its own, to be appended to a message. */
export function lastLines(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  return lines
    .slice(-LAST_LINES)
    .map((line) => `\n  ${line}`)
    .join("");
}
