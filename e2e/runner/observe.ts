import type { Tell } from "#e2e/base/events.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/** Requests that are sent all the time and say nothing in a timeline. */
const FREQUENT = new Set(["Fetch", "Heartbeat", "Metadata", "ApiVersions"]);

/** Tells what happens in the pods, at the broker and in the action target, until the deployment ends. */
export function watchDeployment(deployment: TestDeployment, tell: Tell): void {
  // What happened before anybody could listen.
  for (const entry of [...deployment.target.history(), ...deployment.target.events()])
    tellEntry(entry, tell);
  deployment.target.subscribe((entry) => tellEntry(entry, tell));
  deployment.broker.subscribe(({ atMs, what, node, peer, detail }) => {
    if (FREQUENT.has(what)) return;
    tell("broker", what, { node, peer, ...(detail !== undefined && { detail }) }, atMs);
  });
}

/** Tells what the servers recorded and nobody was told of, when it happened; once, at the end of the deployment. */
export async function tellRecorded(deployment: TestDeployment, tell: Tell): Promise<void> {
  for (const { key, method, path, appliedAtMs } of await deployment.effects()) {
    tell("action-endpoint", "effect.applied", { key, method, path }, appliedAtMs);
  }
  for (const { principal, name, status, atMs } of await deployment.ckms.control.requests()) {
    tell("ckms", "secret.asked", { principal, name, status }, atMs);
  }
  for (const { type, principal, reason, atMs } of deployment.athenz.zts.events()) {
    tell("athenz", `certificate.${type}`, { principal, ...(reason && { reason }) }, atMs);
  }
}

type Entry = Parameters<Parameters<TestDeployment["target"]["subscribe"]>[0]>[0];

function tellEntry(entry: Entry, tell: Tell): void {
  const { kind, atMs, ...fields } = entry;
  if (kind === "event") tell("pod", `event.${entry.reason}`, fields, atMs);
  else tell("pod", `container.${entry.name}`, fields, atMs);
}
