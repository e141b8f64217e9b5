import type { V1Pod } from "@kubernetes/client-node";
import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { isEvicted } from "#e2e/targets/drain-node.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, lastTermination, podName } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { clusterOf } from "#e2e/targets/cluster-access.ts";

/** An emptyDir of the pod whose limit is 1Mi. */
const SMALL_DIRECTORY = "/var/run/kafka_consumer";
/**
 * The longest time until the kubelet notices the usage. It measures volumes once a minute and checks every ten seconds.
 */
const MEASURED_MS_MAX = 150_000;

export const scenario: Scenario = {
  number: 32,
  name: "evicted",
  title:
    "An evicted pod drains as a deleted one does; one that its node evicts during an action leaves it in doubt.",
  needs: ["api-server"],
  timeoutMs: ({ scenarioMsMax }) => scenarioMsMax + MEASURED_MS_MAX,
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const first = await deployment.readyPod();
    step("evict the pod while its action is held, then let the action end");
    const answered = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await answered.arrived;
    const { status, message } = await clusterOf(deployment.target).evict(first);
    expectEqual(status, 201, `answer to the eviction ${message}`);
    await deployment.until("the consumer drains", async () => {
      const answer = await deployment.readiness(first);
      return answer?.status === 503 && answer.body.includes("draining");
    });
    await answered.release();
    const last = await deployment.gone(first);
    expectFault(isEvicted(last), "the pod shows no eviction");
    expectFault((await answered.hits()) === 1, "no action was held");
    expectEqual(lastTermination(last)?.exitCode, 0, "exit code of the drained consumer");
    await deployment.allCommitted();
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters of an action that ended");

    step("fill a volume of the next pod while its action is held, until its node evicts it");
    const second = await deployment.readyPod();
    const withheld = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await withheld.arrived;
    const fill = `head -c 4000000 /dev/zero >${SMALL_DIRECTORY}/full`;
    const filled = await deployment.target.exec(second, APP, ["sh", "-c", fill]);
    expectEqual(filled.exitCode, 0, `exit code of ${fill}`);
    await deployment.until("the pod has ended", () => isOver(deployment.target.lastSeen(second)), {
      deadlineMs: MEASURED_MS_MAX,
    });
    const eviction = deployment.target
      .events()
      .find(({ reason, object }) => reason === "Evicted" && object === second);
    expectFault(eviction !== undefined, "its node did not evict it");
    step(`evicted: ${eviction.message.trim()}`);
    expectFault((await withheld.hits()) === 1, "no action was held");
    await withheld.drop();
    step("wait for the replacement to end the key");
    const [replacement] = await deployment.ready(1);
    expect(replacement !== undefined && podName(replacement) !== second, "no replacement");
    await deployment.verify();
    const letters = await deployment.deadLetters();
    expectEqual(countDeadActions(letters), 1, "actions without an answer in the dead letter");
    expectEqual((await deployment.effects()).length, 2, "effects: one of each incident");
  },
};

/**
 * Returns true when the pod has ended. The kubelet reports an evicted pod as succeeded when its containers exit with 0
 * within their grace period.
 */
function isOver(pod: V1Pod | undefined): boolean {
  const phase = pod?.status?.phase;
  return phase === "Failed" || phase === "Succeeded";
}
