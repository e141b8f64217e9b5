import type { Config } from "./load-config.ts";
import { ConsumerError } from "#consumer/errors.ts";

/**
 * The client id of the consumer's own connections. Commands for operators take `kafka.clientId` as it is: whoever runs
 * one in a pod is not that pod. Throws "bad-configuration" when the pod's name is wanted and not known.
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
