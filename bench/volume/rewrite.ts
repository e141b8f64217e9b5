import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";

export interface RewriteOptions {
  readonly directory: string;
  readonly entries: number;
  readonly actions: number;
}

/**
 * Does what the seed of this project describes: one JSON file with every action is rewritten
 * durably for each action.
 */
export async function rewrite(options: RewriteOptions): Promise<{ durationMs: number }> {
  const { directory, entries, actions } = options;
  const path = join(directory, "rewritten.json");
  const history: Record<string, object> = {};
  for (let number = 0; number < entries; number += 1) history[keyOf(String(number))] = entry();
  const startMs = performance.now();
  for (let action = 0; action < actions; action += 1) {
    history[keyOf(randomBytes(8).toString("hex"))] = entry();
    const file = await open(`${path}.new`, "w");
    await file.writeFile(JSON.stringify(history));
    await file.datasync();
    await file.close();
    await rename(`${path}.new`, path);
    const parent = await open(directory, "r");
    await parent.sync();
    await parent.close();
  }
  return { durationMs: performance.now() - startMs };
}

/** Reads the same history from a plain JSON file, whole, at the start. */
export function parse(options: RewriteOptions): { durationMs: number; peakBytes: number } {
  const path = join(options.directory, "parsed.json");
  const history: Record<string, object> = {};
  for (let number = 0; number < options.entries; number += 1) {
    history[keyOf(String(number))] = entry();
  }
  writeFileSync(path, JSON.stringify(history));
  const startMs = performance.now();
  const parsed: object = JSON.parse(readFileSync(path, "utf8"));
  const durationMs = performance.now() - startMs;
  if (Object.keys(parsed).length !== options.entries) throw new Error("not what was written");
  return { durationMs, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Returns the fields of an entry of automation_action_history.json. */
function entry() {
  return {
    rule: "restart-web",
    action: "open-ticket",
    incidentId: "653989e52d00001901350001",
    transition: "critical",
    startedOnMs: 1_795_564_800_000,
    attempt: 1,
    outcome: "done",
    atMs: 1_795_564_860_000,
    pod: "kafka-consumer-6f7d9c5b4-x2x9z",
  };
}
