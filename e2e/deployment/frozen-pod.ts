import type { Configuration } from "#fixtures/configurations.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, restarts } from "#e2e/targets/pods.ts";
import type { Durations } from "#e2e/base/durations.ts";
import type { TestDeployment } from "./test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

/** The parts of a scenario's context that are needed here. */
interface FrozenPodContext {
  readonly step: (text: string) => void;
  readonly durations: Durations;
  readonly signal: AbortSignal;
}

/** Freezes the consumer of a pod; what it gives resumes it. */
type Freeze = (pod: string) => Promise<() => Promise<void>>;

/** For the deployment of `outliveSession`: after the first action of an incident, which is under way when it is frozen, comes a second one. */
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
 * A consumer is frozen with an action and a commit under way, outlives its session while a second one takes its partitions over, and is
 * resumed: no effect is added, and its commit is refused. Then both go on. The deployment has two partitions and one pod.
 */
export async function outliveSession(
  deployment: TestDeployment,
  { step, durations, signal }: FrozenPodContext,
  freeze: Freeze,
): Promise<void> {
  const frozen = await deployment.startedPod();
  const [member] = await membersWithPartitions(deployment, 1);
  step("an action under way in partition 1, a commit under way in partition 0");
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

  step("freeze the consumer, and start a second one");
  const thaw = await freeze(frozen);
  // The held commit alone would cost it its session: that it is frozen is seen by this.
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

  step("the stale commit reaches the broker, the reply of the action its pod; resume");
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

  step("both go on");
  await deployment.publish(4);
  await deployment.verify();
  expectEqual((await deployment.effects()).length, effects + 8, "effects at the end");
  const pod = deployment.target.lastSeen(frozen);
  expect(pod !== undefined, "the frozen pod is gone");
  expectEqual(restarts(pod), 0, "restarts");
}

/** Waits until the group has that many members, all with partitions. */
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
