import type { Configuration } from "#fixtures/configurations.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, restarts } from "./pods.ts";
import type { ScenarioContext } from "#e2e/runner/scenario.ts";
import type { Stage } from "./stage.ts";
import { pause } from "#e2e/runner/waiting.ts";

/** Freezes the consumer of a pod; what it gives resumes it. */
type Freeze = (pod: string) => Promise<() => Promise<void>>;

/** For the stage of `outliveSession`: after the first action of an incident, which is under way when it is frozen, comes a second one. */
export function twoActionsEach(document: Configuration, durations: ScenarioContext["durations"]) {
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
 * resumed: no effect is added, and its commit is refused. Then both go on. The stage has two partitions and one pod.
 */
export async function outliveSession(
  stage: Stage,
  { step, durations, signal }: Pick<ScenarioContext, "step" | "durations" | "signal">,
  freeze: Freeze,
): Promise<void> {
  const frozen = await stage.startedPod();
  const [member] = await membersWithPartitions(stage, 1);
  step("an action under way in partition 1, a commit under way in partition 0");
  const held = await stage.actions.hold("after-effect", { times: 1 });
  await stage.publish(1, 1);
  await held.arrived;
  await using commit = await stage.broker.addFault({
    api: "OffsetCommit",
    action: { type: "barrier" },
    times: 1,
  });
  await stage.publish(1, 0);
  await commit.arrived();

  step("freeze the consumer, and start a second one");
  const thaw = await freeze(frozen);
  // The held commit alone would cost it its session: that it is frozen is seen by this.
  let answered = false;
  void stage.readiness(frozen).then((answer) => (answered ||= answer !== null));
  await stage.target.scale(stage.deployment, 2);
  await stage.until("the session of the frozen one is over", async () => {
    const members = await stage.broker.members(stage.names.group);
    return members.length === 1 && members[0]?.memberId !== member?.memberId;
  });
  await stage.publish(1, 0);
  await stage.settled();
  const committed = await committedOffsets(stage);
  const effects = (await stage.effects()).length;
  expectEqual(committed, "0: 2, 1: 1", "committed by the second one");
  expectEqual(effects, 6, "effects: two of each incident");

  step("the stale commit reaches the broker, the reply of the action its pod; resume");
  expectFault(!answered, "the frozen consumer answered");
  await commit.release();
  await held.release();
  await thaw();
  await membersWithPartitions(stage, 2);
  await stage.until("the frozen one is ready again", async () => {
    return (await stage.readiness(frozen))?.status === 200;
  });
  await pause(durations.quietMs, signal);
  expectFault((await commit.hits()) === 1, "no commit was held");
  expectFault((await held.hits()) === 1, "no action was held");
  expectEqual((await stage.effects()).length, effects, "effects after the resume");
  expectEqual(await committedOffsets(stage), committed, "committed after the stale commit");
  const log = await stage.target.logs(frozen, APP);
  expect(log.includes('"action.late"'), "the late reply was not recorded");
  const metrics = (await stage.target.get(frozen, "/metrics")).body;
  expect(/commits\S*\{result="lost"\} [1-9]/.test(metrics), `no commit was lost:\n${metrics}`);

  step("both go on");
  await stage.publish(4);
  await stage.judge();
  expectEqual((await stage.effects()).length, effects + 8, "effects at the end");
  const pod = stage.target.lastSeen(frozen);
  expect(pod !== undefined, "the frozen pod is gone");
  expectEqual(restarts(pod), 0, "restarts");
}

/** Waits until the group has that many members, all with partitions. */
async function membersWithPartitions(stage: Stage, count: number) {
  return await stage.until(`${count} members have partitions`, async () => {
    const members = await stage.broker.members(stage.names.group);
    const all =
      members.length === count && members.every(({ partitions }) => partitions.length > 0);
    return all && members;
  });
}

async function committedOffsets(stage: Stage): Promise<string> {
  const offsets = await stage.broker.committedOffsets(stage.names.group, stage.names.topic);
  return [...offsets].map(([partition, offset]) => `${partition}: ${offset}`).join(", ");
}
