/**
 * `node records.ts pipeline|raw OPTIONS_JSON`: reads a topic from its beginning and prints how long that took, from
 * the first batch to the last commit. Every record of the topic is a duplicate for the pipeline.
 */
import { rm } from "node:fs/promises";
import { pipeline } from "./records/pipeline.ts";
import { raw } from "./records/raw.ts";
import type { ReadOptions } from "./records/options.ts";

const [command = "", json = "{}"] = process.argv.slice(2);
const options: ReadOptions = JSON.parse(json);
const durationMs = command === "raw" ? await raw(options) : await pipeline(options);
await rm(options.directory, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify({ durationMs })}\n`);
// Connections of the clients need not be closed in order.
process.exit(0);
