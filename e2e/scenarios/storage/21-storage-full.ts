import { failVolume } from "#e2e/chaos/in-pod/failing-volume.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { pause } from "#e2e/base/waiting.ts";

export const scenario: Scenario = {
  number: 21,
  name: "storage-full",
  title:
    "On a full volume no action begins and the pod is unready; once space is freed, every incident is handled once.",
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({
      podFaults: true,
      // The action that is under way when the volume fills up is answered after that.
      configure: (document) => ({
        ...document,
        execution: { ...document.execution, actionDeadlineMs: durations.stepMsMax },
      }),
    });
    const name = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();
    step("fill the volume while one action is under way");
    const held = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await held.arrived;
    await using full = await failVolume(deployment, name, { type: "full" });
    await held.release();
    await deployment.publish(4);
    await pause(durations.quietMs, signal);
    expectFault(full.hits.length > 0, "no operation met the full volume");
    let body = "";
    await deployment.until(
      "/readyz says that the volume is full",
      async () => {
        const answer = await deployment.readiness(name);
        body = answer?.body ?? "";
        return answer?.status === 503 && body.includes("history volume") && body.includes("ENOSPC");
      },
      { seen: () => body },
    );
    await pause(durations.quietMs, signal);
    expectEqual((await deployment.effects()).length, 3, "effects while the volume is full");
    const files = await deployment.historyFiles();
    expectEqual(files.claims.length, 3, "claims while the volume is full");
    expectEqual(files.outcomes.length, 2, "outcomes while the volume is full");

    step("free the volume");
    await full.mend();
    await deployment.ready();
    await deployment.verify();
    const { hits } = full;
    step(`${hits.length} operations failed on the full volume`);
    expectFault(
      hits.some((hit) => hit.startsWith("ENOSPC open temporary/")),
      `no temporary file was refused: ${hits.slice(0, 5).join("; ")}`,
    );
    expectEqual((await deployment.effects()).length, 7, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};
