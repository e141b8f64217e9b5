import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { isReady, lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 19,
  name: "history-volume-missing",
  title:
    "Without the history volume the consumer refuses to run, even though the image has the directory.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy({ historyVolume: false });
    const name = await deployment.startedPod();
    const listed = await deployment.until("a run of the container lists a directory", async () => {
      const argv = ["ls", "-d", "/data/automation_consumer"];
      // No command can be run in the container between two of its runs, and a command that is running ends with the
      // container.
      const ended = await deployment.target.exec(name, "app", argv).catch(() => null);
      return ended !== null && `${ended.stdout}${ended.stderr}` !== "" && ended;
    });
    expectFault(listed.exitCode === 0, "the image has no directory for the history");
    step("wait until the consumer refuses");
    await deployment.publish(1);
    let everReady = false;
    const pod = await deployment.until("the consumer ends", () => {
      const seen = deployment.target.lastSeen(name);
      everReady ||= seen !== undefined && isReady(seen);
      return seen !== undefined && lastTermination(seen) && seen;
    });
    expectEqual(lastTermination(pod)?.exitCode, 78, "exit code");
    expect(!everReady, "the pod was ready without its history");
    const logs = await deployment.until("the log has the reason", async () => {
      const texts = await Promise.all([
        deployment.target.logs(name, "app"),
        deployment.target.logs(name, "app", { previous: true }).catch(() => ""),
      ]);
      return texts.find((text) => text.includes("mount"));
    });
    expect(
      logs.includes("automation_consumer"),
      `the message does not name the directory: ${logs}`,
    );
    expectEqual((await deployment.effects()).length, 0, "effects without a history");
  },
};
