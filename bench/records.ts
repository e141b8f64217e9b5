/**
 * `node records.ts pipeline|raw OPTIONS_JSON` reads a topic from its beginning. It prints the time
 * from the first batch to the last commit and the peak memory of the process. Every record of the
 * topic is a duplicate for the pipeline.
 */
import { rm } from "node:fs/promises";
import { pipeline } from "./records/pipeline.ts";
import { raw } from "./records/raw.ts";
import type { ReadOptions } from "./records/options.ts";

const [command = "", json = "{}"] = process.argv.slice(2);
const options: ReadOptions = JSON.parse(json);
const durationMs = command === "raw" ? await raw(options) : await pipeline(options);
await rm(options.directory, { recursive: true, force: true });
// maxRSS is in kibibytes on every platform.
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ durationMs, peakBytes })}\n`);
// The connections of the clients need not be closed in order.
process.exit(0);
