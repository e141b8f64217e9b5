import { checkOffsets } from "#e2e/checkers/offsets.ts";
import { expect, expectEqual } from "#e2e/errors.ts";
import { progressOf } from "#e2e/deployment/judge.ts";
import { lastTermination } from "#e2e/deployment/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const deletedWhileIdle: Scenario = {
  number: 6,
  name: "deleted-while-idle",
  title:
    "A pod that is deleted while idle runs its preStop, exits 0, has committed and left the group.",
  needs: ["container-access"],
  run: async ({ stage: open, step, durations }) => {
    const stage = await open({
      // A member that is gone long before its session could be over has left.
      configure: (document) => ({
        ...document,
        kafka: { ...document.kafka, sessionTimeoutMs: durations.stepMsMax * 2 },
      }),
    });
    const name = await stage.readyPod();
    await stage.publish(2);
    await stage.settled();
    const [member] = await stage.broker.members(stage.names.group);
    expect(member !== undefined, "the pod is no member of the group");
    step("delete the pod");
    const deletedMs = Date.now();
    await stage.target.deletePod(name);
    const last = await stage.gone(name);
    const ended = lastTermination(last);
    const own = () => stage.target.history().filter((event) => event.pod === name);
    expectEqual(ended?.exitCode, 0, "exit code of the consumer");
    const failed = stage.target.events().filter(({ reason }) => reason === "FailedPreStopHook");
    expectEqual(failed.length, 0, "events FailedPreStopHook");
    const exitMs = own().find((event) => event.name === "exit" && event.container === "app")?.atMs;
    expect(exitMs !== undefined, "the consumer's container did not end");
    await stage.until("its member is gone", async () => {
      const members = await stage.broker.members(stage.names.group);
      return members.every(({ memberId }) => memberId !== member.memberId);
    });
    if (stage.broker.abilities.has("broker-requests")) {
      const left = (await stage.broker.clientActivity()).find(
        ({ what, atMs }) => what === "LeaveGroup" && atMs >= deletedMs,
      );
      expect(left !== undefined && left.atMs <= exitMs, "the group was not left before the end");
    }
    expect(
      checkOffsets(await progressOf(stage.broker, stage.names)).length === 0,
      "offsets are not committed",
    );
    await stage.until("the preStop hook has run", () =>
      own().some((event) => event.name === "pre-stop-ended"),
    );
    step("wait for the replacement");
    await stage.ready();
    await stage.publish(1);
    await stage.judge();
  },
};
