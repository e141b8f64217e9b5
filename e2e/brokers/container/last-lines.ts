const LAST_LINES = 20;

/** Of a log, each on a line of its own below what is said before. */
export function lastLines(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  return lines
    .slice(-LAST_LINES)
    .map((line) => `\n  ${line}`)
    .join("");
}
