/**
 * Returns the name of the directory of a run's artifacts. The names sort by time, and two runs that start in the same
 * second differ in their seed or process id.
 */
export function runId(seed: number): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${time}-${seed}-${process.pid}`;
}
