import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { APP, isRunning } from "#e2e/targets/pods.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { ArmedTrigger, TriggerContext, TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { MomentCount } from "./moment-count.ts";

/**
 * Holds the issue of a certificate. A new pod cannot continue without its first certificate, so
 * that holding that issue holds the pod.
 */
export const certificateAwaited: TriggerKind = triggerKind({
  name: "pod.certificate-awaited",
  title: "A new pod runs and waits for its first certificate, which Athenz holds.",
  holds: true,
  needs: [],
  requires: ["new-pods"],
  parameters: z.strictObject({}),
  draw: () => ({}),
  arm: async (context) => armCertificate(context),
});

function armCertificate(context: TriggerContext): ArmedTrigger {
  const { target, athenz } = context.deployment;
  const count = new MomentCount(context);
  /** Tells for each instance that asked whether it is held, since a request that was given up is made again. */
  const isHeld = new Map<string, boolean>();
  const watching = new DisposableStack();
  const hold = athenz.zts.hold(async ({ instanceId, isFirst }) => {
    const pod = isFirst ? await podOfInstance(target, instanceId) : undefined;
    if (pod === undefined || watching.disposed) return false;
    const known = isHeld.get(instanceId);
    if (known !== undefined) return known;
    const isTheOne = count.isTheOne(pod);
    isHeld.set(instanceId, isTheOne);
    if (isTheOne) {
      const stop = whenRunning(target, pod, () =>
        count.reach(pod, "the first certificate is held, and the consumer's container runs"),
      );
      watching.defer(stop);
    }
    return isTheOne;
  });
  const release = async (): Promise<void> => {
    watching.dispose();
    hold.release();
  };
  return { reached: count.reached, release, [Symbol.asyncDispose]: release };
}

/** Returns the pod of an instance: the identity sidecar registers with the uid of its pod. */
async function podOfInstance(
  target: TestDeployment["target"],
  instanceId: string,
): Promise<string | undefined> {
  const pods = await target.pods();
  return pods.find(({ metadata }) => metadata?.uid === instanceId)?.metadata?.name;
}

/**
 * Waits until the consumer's container is running, since the sidecar starts first and nothing waits
 * for the certificate before. Returns a function that ends the watch.
 */
function whenRunning(
  target: TestDeployment["target"],
  name: string,
  onRunning: () => void,
): () => void {
  const stop = target.subscribe((entry) => {
    if (entry.kind !== "container" || entry.name !== "started") return;
    if (entry.pod === name && entry.container === APP) onRunning();
  });
  const pod = target.lastSeen(name);
  if (pod !== undefined && isRunning(pod)) onRunning();
  return stop;
}
