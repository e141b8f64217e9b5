import type { Configuration } from "#fixtures/configurations.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, restarts } from "#e2e/targets/pods.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

/** The parts of a scenario's context that are needed here. */
interface FrozenPodContext {
  readonly step: (text: string) => void;
  readonly durations: Durations;
  readonly signal: AbortSignal;
}

/** Freezes the consumer of a pod, and returns a function that resumes it. */
type Freeze = (pod: string) => Promise<() => Promise<void>>;

/**
 * Changes the configuration for `outliveSession`: each incident gets a second action, which follows the one that is
 * under way when the consumer is frozen.
 */
export function twoActionsEach(document: Configuration, durations: Durations) {
  const { orphanWaitMs, scenarioMsMax } = durations;
  return {
    ...document,
    execution: { ...document.execution, actionDeadlineMs: scenarioMsMax, orphanWaitMs },
    rules: document.rules.map((rule) => ({
      ...rule,
      actions: rule.actions.flatMap((action) => [action, { ...action, name: "second" }]),
    })),
  };
}

/**
 * Freezes a consumer while an action and a commit are under way, until its session is over and a second consumer has
 * taken over its partitions. Then the consumer is resumed. It must add no effect, its commit must be refused, and both
 * consumers must continue. The deployment has two partitions and one pod.
 */
export async function outliveSession(
  deployment: TestDeployment,
  { step, durations, signal }: FrozenPodContext,
  freeze: Freeze,
): Promise<void> {
  const frozen = await deployment.startedPod();
  const [member] = await membersWithPartitions(deployment, 1);
  step("hold an action in partition 1 and a commit in partition 0");
  const held = await deployment.actions.hold("after-effect", { times: 1 });
  await deployment.publish(1, 1);
  await held.arrived;
  await using commit = await deployment.broker.addFault({
    api: "OffsetCommit",
    action: { type: "barrier" },
    times: 1,
  });
  await deployment.publish(1, 0);
  await commit.arrived();

  step("freeze the consumer and start a second one");
  const thaw = await freeze(frozen);
  // The held commit alone would end the session. A frozen consumer is recognized by its silent health port.
  let answered = false;
  void deployment.readiness(frozen).then((answer) => (answered ||= answer !== null));
  await deployment.target.scale(deployment.name, 2);
  await deployment.until("the session of the frozen one is over", async () => {
    const members = await deployment.broker.members(deployment.names.group);
    return members.length === 1 && members[0]?.memberId !== member?.memberId;
  });
  await deployment.publish(1, 0);
  await deployment.allCommitted();
  const committed = await committedOffsets(deployment);
  const effects = (await deployment.effects()).length;
  expectEqual(committed, "0: 2, 1: 1", "committed by the second one");
  expectEqual(effects, 6, "effects: two of each incident");

  step("let the stale commit and the reply of the action arrive, and resume the consumer");
  expectFault(!answered, "the frozen consumer answered");
  await commit.release();
  await held.release();
  await thaw();
  await membersWithPartitions(deployment, 2);
  await deployment.until("the frozen one is ready again", async () => {
    return (await deployment.readiness(frozen))?.status === 200;
  });
  await pause(durations.quietMs, signal);
  expectFault((await commit.hits()) === 1, "no commit was held");
  expectFault((await held.hits()) === 1, "no action was held");
  expectEqual((await deployment.effects()).length, effects, "effects after the resume");
  expectEqual(await committedOffsets(deployment), committed, "committed after the stale commit");
  const log = await deployment.target.logs(frozen, APP);
  expect(log.includes('"action.late"'), "the late reply was not recorded");
  const metrics = (await deployment.target.get(frozen, "/metrics")).body;
  expect(/commits\S*\{result="lost"\} [1-9]/.test(metrics), `no commit was lost:\n${metrics}`);

  step("check that both consumers handle incidents");
  await deployment.publish(4);
  await deployment.verify();
  expectEqual((await deployment.effects()).length, effects + 8, "effects at the end");
  const pod = deployment.target.lastSeen(frozen);
  expect(pod !== undefined, "the frozen pod is gone");
  expectEqual(restarts(pod), 0, "restarts");
}

/** Waits until the group has `count` members and all of them have partitions. */
async function membersWithPartitions(deployment: TestDeployment, count: number) {
  return await deployment.until(`${count} members have partitions`, async () => {
    const members = await deployment.broker.members(deployment.names.group);
    const all =
      members.length === count && members.every(({ partitions }) => partitions.length > 0);
    return all && members;
  });
}

async function committedOffsets(deployment: TestDeployment): Promise<string> {
  const offsets = await deployment.broker.committedOffsets(
    deployment.names.group,
    deployment.names.topic,
  );
  return [...offsets].map(([partition, offset]) => `${partition}: ${offset}`).join(", ");
}
