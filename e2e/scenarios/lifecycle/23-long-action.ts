import { countDeadActions } from "#e2e/deployment/steps/count-dead-actions.ts";
import { expectEqual, expectFault, ExpectationError } from "#e2e/errors.ts";
import { lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario, ScenarioContext } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

export const scenario: Scenario = {
  number: 23,
  name: "long-action",
  title:
    "A long action ends within a long grace period; with a short one it is left in doubt and never repeated.",
  long: true,
  run: async (context) => {
    const { shortGraceSeconds, longGraceSeconds } = context.durations;
    const ends = await Promise.allSettled([
      deleteDuringAction(longGraceSeconds, { exitCode: 0, outcome: "done", letters: 0 }, context),
      deleteDuringAction(
        shortGraceSeconds,
        { exitCode: 137, outcome: "in-doubt", letters: 1 },
        context,
      ),
    ]);
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [end.reason as unknown] : [],
    );
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new ExpectationError(errors.map(String).join("\n"));
  },
};

interface End {
  readonly exitCode: number;
  readonly outcome: "done" | "in-doubt";
  /** The number of dead letters at the end. */
  readonly letters: number;
}

async function deleteDuringAction(
  graceSeconds: number,
  wanted: End,
  { deploy, step, durations, signal }: ScenarioContext,
): Promise<void> {
  const grace = `grace ${graceSeconds} s`;
  const { longActionMs, longActionElapsedMs } = durations;
  // The replacement starts at once, and must not give up an action that its owner may still finish.
  const orphanWaitMs = (graceSeconds + 2) * 1000 + durations.orphanWaitMs;
  const deployment = await deploy({
    pod: { terminationGracePeriodSeconds: graceSeconds },
    configure: (document) => ({
      ...document,
      execution: { ...document.execution, actionDeadlineMs: longActionMs * 2, orphanWaitMs },
    }),
  });
  const name = await deployment.readyPod();
  const member = await memberOf(deployment);
  await using slow = await deployment.actions.respond({ delayMs: longActionMs, times: 1 });
  await deployment.publish(1);
  await deployment.until(`${grace}: the action is under way`, async () => {
    return (await deployment.effects()).length === 1;
  });
  await pause(longActionElapsedMs, signal);
  step(
    `${grace}: delete the pod with ${longActionMs - longActionElapsedMs} ms of its action to go`,
  );
  // A member whose session had ended would have come back under another id.
  expectEqual(await memberOf(deployment), member, `${grace}: member of the group until then`);
  await deployment.target.deletePod(name);
  const last = await deployment.gone(name, graceSeconds * 1000 + durations.stepMsMax);
  expectFault((await slow.hits()) === 1, `${grace}: no action was slow`);
  expectEqual(lastTermination(last)?.exitCode, wanted.exitCode, `${grace}: exit code`);

  step(`${grace}: exit code ${wanted.exitCode}; wait for the replacement`);
  await deployment.ready();
  await deployment.verify();
  const outcomes = (await deployment.historyFiles()).outcomes.map(({ content }) => content.outcome);
  expectEqual(outcomes.join(), wanted.outcome, `${grace}: outcomes of the key`);
  expectEqual((await deployment.effects()).length, 1, `${grace}: effects`);
  expectEqual(
    countDeadActions(await deployment.deadLetters()),
    wanted.letters,
    `${grace}: dead letters`,
  );
  // A pod that was killed stays a member until its session ends.
  await deployment.until(`${grace}: the deleted pod is no member any more`, async () => {
    return (await deployment.broker.members(deployment.names.group)).length === 1;
  });
}

/** Returns the id of the only member. */
async function memberOf(deployment: TestDeployment): Promise<string> {
  const members = await deployment.broker.members(deployment.names.group);
  expectEqual(members.length, 1, "members of the group");
  return members[0]?.memberId ?? "";
}
