import { readdir } from "node:fs/promises";
import type { SoakSample } from "./sample.ts";

/** The directory that lists the open files of this process, on both Linux and macOS. */
const OPEN_FILES = "/dev/fd";

/** Measures this process. */
export async function sampleRunner(atMs: number): Promise<SoakSample> {
  const { rss, heapUsed } = process.memoryUsage();
  const files = await readdir(OPEN_FILES).catch(() => null);
  return {
    atMs,
    kind: "runner",
    subject: "runner",
    measures: {
      residentBytes: rss,
      heapBytes: heapUsed,
      ...(files !== null && { openFiles: files.length }),
    },
  };
}
