import { readFileSync } from "node:fs";

const TEMPLATE: Record<string, unknown> = JSON.parse(
  readFileSync(new URL("../fixtures/incidents/valid/critical-web.json", import.meta.url), "utf8"),
);

/**
 * Returns a BigPanda incident of about 900 bytes that the rule matches. `startedOn` is in seconds
 * and defaults to now.
 */
export function incidentBytes(id: string, startedOn = Math.floor(Date.now() / 1000)): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...TEMPLATE, id, started_on: startedOn }));
}
