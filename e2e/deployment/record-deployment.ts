import type { Broker } from "#e2e/brokers/broker.ts";
import type { TestDeployment } from "./test-deployment.ts";
import type { DeploymentRecord } from "#e2e/trace/deployment-lives.ts";
import { readLogs } from "#e2e/trace/read-logs.ts";

/** Completes the record with the logs that lie in the directory by then. */
export type RecordedDeployment = (logsDirectory: string) => Promise<DeploymentRecord>;

/** What is known of a deployment's pods before it is taken down; `logs` are read later, when they are whole. */
export async function recordDeployment(deployment: TestDeployment): Promise<RecordedDeployment> {
  const endMs = Date.now();
  const record = {
    replicas: deployment.replicas,
    history: [...deployment.target.history()],
    // Pods of the kit are reported too, and are none of the target's.
    events: deployment.target
      .events()
      .filter(({ object }) => deployment.target.lastSeen(object) !== undefined),
    activity: tellsRequests(deployment.broker) ? await deployment.broker.clientActivity() : [],
  };
  return async (directory) => ({ ...record, logs: await readLogs(directory, endMs) });
}

/** What a broker that does not tell them leaves out of every life. */
export function unseenAt(broker: Pick<Broker, "abilities">): readonly string[] {
  return tellsRequests(broker) ? [] : ["group left"];
}

function tellsRequests({ abilities }: Pick<Broker, "abilities">): boolean {
  return abilities.has("broker-requests");
}
