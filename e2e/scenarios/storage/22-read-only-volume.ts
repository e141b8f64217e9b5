import { failVolume } from "#e2e/chaos/in-pod/failing-volume.ts";
import { expectEqual, expectFault } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { APP, containerStatus } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { pause } from "#e2e/base/waiting.ts";

export const scenario: Scenario = {
  number: 22,
  name: "read-only-volume",
  title:
    "A volume that turns read-only stops a running and a starting consumer, and both continue once it is writable.",
  needs: ["container-access"],
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({
      podFaults: true,
      configure: longerActionDeadline(durations),
    });
    const name = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();
    step("make the volume read-only under the running consumer");
    await using readOnly = await failVolume(deployment, name, { type: "read-only" });
    await deployment.publish(3);
    await pause(durations.quietMs, signal);
    const hitsRunning = readOnly.hits.length;
    expectFault(hitsRunning > 0, "the running consumer never met the read-only volume");
    await unready(deployment, name);

    step("kill the consumer, so that the next one starts on the read-only volume");
    await deployment.target.kill(name, APP, "SIGKILL");
    await deployment.until("the container runs again", () => {
      const pod = deployment.target.lastSeen(name);
      const status = pod && containerStatus(pod);
      return status?.restartCount === 1 && status.state?.running !== undefined;
    });
    await unready(deployment, name);
    await deployment.until(
      "the starting consumer met it too",
      () => readOnly.hits.length > hitsRunning,
    );
    await pause(durations.quietMs, signal);
    expectEqual((await deployment.effects()).length, 2, "effects while the volume is read-only");
    expectEqual((await deployment.historyFiles()).claims.length, 2, "claims while it is read-only");

    step("make the volume writable");
    await readOnly.mend();
    const [pod] = await deployment.ready();
    expectEqual(pod && containerStatus(pod)?.restartCount, 1, "restarts: the kill, and no other");
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 5, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
  },
};

async function unready(deployment: TestDeployment, pod: string): Promise<void> {
  let body = "";
  await deployment.until(
    "/readyz says that the volume is read-only",
    async () => {
      const answer = await deployment.readiness(pod);
      body = answer?.body ?? "";
      return answer?.status === 503 && body.includes("history volume") && body.includes("EROFS");
    },
    { seen: () => body },
  );
}
