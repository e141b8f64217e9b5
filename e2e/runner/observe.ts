import type { Tell } from "./events.ts";
import type { Stage } from "#e2e/deployment/stage.ts";

/** Requests that are sent all the time and say nothing in a timeline. */
const FREQUENT = new Set(["Fetch", "Heartbeat", "Metadata", "ApiVersions"]);

/** Tells what happens in the pods, at the broker and in the action target, until the stage ends. */
export function watchStage(stage: Stage, tell: Tell): void {
  // What happened before anybody could listen.
  for (const entry of [...stage.target.history(), ...stage.target.events()]) tellEntry(entry, tell);
  stage.target.subscribe((entry) => tellEntry(entry, tell));
  stage.broker.subscribe(({ atMs, what, node, peer, detail }) => {
    if (FREQUENT.has(what)) return;
    tell("broker", what, { node, peer, ...(detail !== undefined && { detail }) }, atMs);
  });
}

/** Tells what the servers recorded and nobody was told of, when it happened; once, at the end of the stage. */
export async function tellRecorded(stage: Stage, tell: Tell): Promise<void> {
  for (const { key, method, path, appliedAtMs } of await stage.effects()) {
    tell("target", "effect.applied", { key, method, path }, appliedAtMs);
  }
  for (const { principal, name, status, atMs } of await stage.ckms.control.requests()) {
    tell("ckms", "secret.asked", { principal, name, status }, atMs);
  }
  for (const { type, principal, reason, atMs } of stage.athenz.zts.events()) {
    tell("athenz", `certificate.${type}`, { principal, ...(reason && { reason }) }, atMs);
  }
}

type Entry = Parameters<Parameters<Stage["target"]["subscribe"]>[0]>[0];

function tellEntry(entry: Entry, tell: Tell): void {
  const { kind, atMs, ...fields } = entry;
  if (kind === "event") tell("pod", `event.${entry.reason}`, fields, atMs);
  else tell("pod", `container.${entry.name}`, fields, atMs);
}
