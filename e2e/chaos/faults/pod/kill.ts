import { z } from "zod";
import { APP } from "#e2e/targets/pods.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind, FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { watchContainers } from "#e2e/chaos/faults/container-watch.ts";
import { passingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { whileRunning } from "./app-container.ts";

export const KILLED_PROCESSES = ["container", "consumer"] as const;

interface KillParameters {
  /**
   * `container`: PID 1, and with it everything in the container. `consumer`: only the consumer, so
   * that PID 1 sees it end.
   */
  readonly process: (typeof KILLED_PROCESSES)[number];
}

export const podKill: FaultKind = faultKind<KillParameters>({
  name: "pod.kill",
  title: "The consumer is ended by SIGKILL; the kubelet starts its container again.",
  scope: "pod",
  lasting: false,
  needs: ["container-access"],
  causes: ["starts", "rebalances"],
  parameters: z.strictObject({ process: z.enum(KILLED_PROCESSES).default("container") }),
  draw: (random) => ({ process: random.pick(KILLED_PROCESSES) }),
  inject: ({ deployment, pod }, { process }) => killPod(deployment, pod, process),
});

/** Sends SIGKILL to the container's PID 1, or only to the consumer. */
export async function killPod(
  deployment: TestDeployment,
  pod: string,
  process: KillParameters["process"] = "container",
): Promise<InjectedFault> {
  const watch = watchContainers(deployment.target);
  await whileRunning(deployment, pod, () =>
    process === "container"
      ? deployment.target.kill(pod, APP, "SIGKILL")
      : killConsumer(deployment, pod),
  );
  return passingFault(async () => {
    const exit = watch.events.find(
      (event) => event.name === "exit" && event.pod === pod && event.container === APP,
    );
    if (exit === undefined) return undefined;
    watch.stop();
    // Another exit code means that it ended by itself before the signal came.
    return exit.exitCode === SIGKILL_EXIT_CODE ? `exit code ${exit.exitCode}` : undefined;
  });
}

const SIGKILL_EXIT_CODE = 137;
/** An exit code that the shell itself does not use. */
const NOT_STARTED = 42;
const ENDED = 43;

async function killConsumer(deployment: TestDeployment, pod: string): Promise<void> {
  const script =
    `[ -e "\${PID_FILE:-/var/run/kafka_consumer/kafka_consumer.pid}" ] || exit ${NOT_STARTED}; read ` +
    `-r pid <"\${PID_FILE:-/var/run/kafka_consumer/kafka_consumer.pid}" && { kill -KILL "$pid" || exit ${ENDED}; }`;
  const { exitCode, stderr } = await deployment.target.exec(pod, APP, ["sh", "-c", script]);
  if (exitCode === NOT_STARTED) {
    throw new FaultImpossibleError(`pod.kill: the consumer of pod ${pod} is not started yet`);
  }
  if (exitCode === ENDED) {
    throw new FaultImpossibleError(`pod.kill: the consumer of pod ${pod} has ended already`);
  }
  if (exitCode !== 0) {
    throw new Error(`the consumer of pod ${pod} could not be killed: ${stderr.trim()}`);
  }
}
