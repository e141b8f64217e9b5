import type { Broker } from "#e2e/brokers/broker.ts";
import type { TestDeployment } from "./test-deployment.ts";
import type { DeploymentRecord } from "#e2e/trace/deployment-lives.ts";
import { readLogs } from "#e2e/trace/read-logs.ts";

/** Completes the record with the logs that are in the directory by then. */
export type RecordedDeployment = (logsDirectory: string) => Promise<DeploymentRecord>;

/**
 * Records what is known of a deployment's pods before it is taken down. The logs are read later, when they are
 * complete.
 */
export async function recordDeployment(deployment: TestDeployment): Promise<RecordedDeployment> {
  const endMs = Date.now();
  const record = {
    replicas: deployment.replicas,
    history: [...deployment.target.history()],
    // Pods of the kit are reported too, but they are not among the pods of the target.
    events: deployment.target
      .events()
      .filter(({ object }) => deployment.target.lastSeen(object) !== undefined),
    activity: tellsRequests(deployment.broker) ? await deployment.broker.clientActivity() : [],
  };
  return async (directory) => ({ ...record, logs: await readLogs(directory, endMs) });
}

/** Returns the words that are missing in every life, since the broker does not report requests. */
export function unseenAt(broker: Pick<Broker, "abilities">): readonly string[] {
  return tellsRequests(broker) ? [] : ["group left"];
}

function tellsRequests({ abilities }: Pick<Broker, "abilities">): boolean {
  return abilities.has("broker-requests");
}
