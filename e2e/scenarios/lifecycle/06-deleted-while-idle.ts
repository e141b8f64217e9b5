import { checkOffsets } from "#e2e/checkers/check-offsets.ts";
import { expect, expectEqual } from "#e2e/errors.ts";
import { progressOf } from "#e2e/deployment/find-violations.ts";
import { lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 6,
  name: "deleted-while-idle",
  title:
    "A pod that is deleted while idle runs its preStop hook, commits its offsets, leaves the group and exits with 0.",
  needs: ["container-access"],
  run: async ({ deploy, step, durations }) => {
    const deployment = await deploy({
      // The session is so long that a member which is gone soon must have left the group.
      configure: (document) => ({
        ...document,
        kafka: { ...document.kafka, sessionTimeoutMs: durations.stepMsMax * 2 },
      }),
    });
    const name = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();
    const [member] = await deployment.broker.members(deployment.names.group);
    expect(member !== undefined, "the pod is no member of the group");
    step("delete the pod");
    const deletedMs = Date.now();
    await deployment.target.deletePod(name);
    const last = await deployment.gone(name);
    const ended = lastTermination(last);
    const own = () => deployment.target.history().filter((event) => event.pod === name);
    expectEqual(ended?.exitCode, 0, "exit code of the consumer");
    const failed = deployment.target
      .events()
      .filter(({ reason }) => reason === "FailedPreStopHook");
    expectEqual(failed.length, 0, "events FailedPreStopHook");
    const exitMs = own().find((event) => event.name === "exit" && event.container === "app")?.atMs;
    expect(exitMs !== undefined, "the consumer's container did not end");
    await deployment.until("its member is gone", async () => {
      const members = await deployment.broker.members(deployment.names.group);
      return members.every(({ memberId }) => memberId !== member.memberId);
    });
    if (deployment.broker.abilities.has("broker-requests")) {
      const left = (await deployment.broker.clientActivity()).find(
        ({ what, atMs }) => what === "LeaveGroup" && atMs >= deletedMs,
      );
      expect(left !== undefined && left.atMs <= exitMs, "the group was not left before the end");
    }
    expect(
      checkOffsets(await progressOf(deployment.broker, deployment.names)).length === 0,
      "offsets are not committed",
    );
    await deployment.until("the preStop hook has run", () =>
      own().some((event) => event.name === "pre-stop-ended"),
    );
    step("wait for the replacement");
    await deployment.ready();
    await deployment.publish(1);
    await deployment.verify();
  },
};
