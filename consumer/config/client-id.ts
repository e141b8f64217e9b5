import type { Config } from "./load-config.ts";
import { ConsumerError } from "#consumer/errors.ts";

/**
 * Returns the client id of the consumer's own connections. Commands for operators use `kafka.clientId` as it is,
 * because a command that runs in a pod must not appear as that pod. Throws "bad-configuration" when the name of the pod
 * is needed and unknown.
 */
export function clientIdOf(
  { clientId, clientIdPerPod }: Pick<Config["kafka"], "clientId" | "clientIdPerPod">,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (!clientIdPerPod) return clientId;
  const pod = environment.POD_NAME ?? "";
  if (pod !== "") return pod;
  throw new ConsumerError(
    "bad-configuration",
    "kafka.clientIdPerPod: needs the name of the pod in the variable POD_NAME, which is not set",
  );
}
