import type { RecordEvent } from "#e2e/base/events.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";

/** Requests that clients send all the time, and that would tell nothing in a timeline. */
const FREQUENT = new Set(["Fetch", "Heartbeat", "Metadata", "ApiVersions"]);

/** Reports the events of the pods, the broker and the action endpoint until the deployment ends. */
export function watchDeployment(deployment: TestDeployment, recordEvent: RecordEvent): void {
  // These events happened before anything could listen.
  for (const entry of [...deployment.target.history(), ...deployment.target.events()]) {
    recordEntry(entry, recordEvent);
  }
  deployment.target.subscribe((entry) => recordEntry(entry, recordEvent));
  deployment.broker.subscribe(({ atMs, what, node, peer, detail }) => {
    if (FREQUENT.has(what)) return;
    recordEvent("broker", what, { node, peer, ...(detail !== undefined && { detail }) }, atMs);
  });
}

/**
 * Reports what the servers recorded without a subscription, with the time at which it happened. It is called once, at
 * the end of the deployment.
 */
export async function recordServices(
  deployment: TestDeployment,
  recordEvent: RecordEvent,
): Promise<void> {
  for (const { key, method, origin, path, appliedAtMs } of await deployment.effects()) {
    const fields = { key, method, origin, path };
    recordEvent("action-endpoint", "effect.applied", fields, appliedAtMs);
  }
  for (const { principal, name, status, atMs } of await deployment.ckms.control.requests()) {
    recordEvent("ckms", "secret.asked", { principal, name, status }, atMs);
  }
  for (const { type, principal, reason, atMs } of deployment.athenz.zts.events()) {
    recordEvent("athenz", `certificate.${type}`, { principal, ...(reason && { reason }) }, atMs);
  }
}

type Entry = Parameters<Parameters<TestDeployment["target"]["subscribe"]>[0]>[0];

function recordEntry(entry: Entry, recordEvent: RecordEvent): void {
  const { kind, atMs, ...fields } = entry;
  if (kind === "event") recordEvent("pod", `event.${entry.reason}`, fields, atMs);
  else recordEvent("pod", `container.${entry.name}`, fields, atMs);
}
