import { NAMES } from "#fixtures/configurations.ts";
import { checkOffsets } from "../checkers/offsets.ts";
import { expect, expectEqual } from "../errors.ts";
import { progressOf } from "../judge.ts";
import { lastTermination } from "../pods.ts";
import type { Scenario } from "../scenario.ts";

export const deletedWhileIdle: Scenario = {
  number: 6,
  name: "deleted-while-idle",
  title:
    "A pod that is deleted while idle runs its preStop, exits 0, has committed and left the group.",
  needs: ["container-access"],
  run: async ({ stage: open, step }) => {
    const stage = await open();
    const name = await stage.readyPod();
    await stage.publish(2);
    await stage.settled();
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
    const left = (await stage.broker.clientActivity()).find(
      ({ what, atMs }) => what === "LeaveGroup" && atMs >= deletedMs,
    );
    expect(left !== undefined, "the group was not left");
    expect(
      exitMs !== undefined && left.atMs <= exitMs,
      "the group was left only after the consumer had ended",
    );
    expect(
      checkOffsets(await progressOf(stage.broker, NAMES.topic)).length === 0,
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
