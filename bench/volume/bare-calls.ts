import fs from "node:fs";
import { promisify } from "node:util";
import { THREADS } from "../child.ts";
import { slowCalls } from "./slow-calls.ts";

export interface BareCallsOptions {
  readonly calls: number;
  readonly delayMs: number;
}

/** What threads and delay allow: slow calls that do next to nothing, always more of them than there are threads. */
export async function bareCalls(options: BareCallsOptions): Promise<{ durationMs: number }> {
  const { calls, delayMs } = options;
  await using _slow = await slowCalls(delayMs);
  const call = promisify(fs.fstat);
  let begun = 0;
  const loop = async (): Promise<void> => {
    while (begun < calls) {
      begun += 1;
      await call(process.stderr.fd);
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 2 * THREADS }, loop));
  return { durationMs: performance.now() - startMs };
}
