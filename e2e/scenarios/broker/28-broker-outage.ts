import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { longerActionDeadline } from "#e2e/deployment/steps/longer-action-deadline.ts";
import { isReady, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { pause } from "#e2e/base/waiting.ts";

export const scenario: Scenario = {
  number: 28,
  name: "broker-outage",
  title:
    "While the broker is away for longer than a session, the pod is unready but not restarted, and nothing is lost.",
  needs: ["broker-connections"],
  long: true,
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy({ brokerNodes: 2, configure: longerActionDeadline(durations) });
    const name = await deployment.readyPod();
    await deployment.publish(4);
    await deployment.allCommitted();
    step(
      "cut every connection while the action endpoint holds an action, and answer none for a while",
    );
    const held = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(6);
    await held.arrived;
    const nodes = await deployment.broker.nodes();
    let cut = 0;
    for (const node of nodes) cut += await deployment.broker.killNode(node);
    expectFault(cut > 0, "there was no connection to cut");
    // The last node may still be reachable while the others are already away.
    const startMs = Date.now();
    const outage = pause(durations.brokerOutageMs, signal);
    await held.release();
    let body = "";
    await deployment.until(
      "/readyz says that the broker is away",
      async () => {
        const answer = await deployment.readiness(name);
        body = answer?.body ?? "";
        return answer?.status === 503 && body.includes("broker");
      },
      { seen: () => body },
    );
    await outage;
    const unreadyMs = Date.now();
    const activity = await deployment.broker.clientActivity();
    expectFault(
      activity.every(({ what, atMs }) => what === "connection-closed" || atMs < startMs),
      "the broker was reached during the outage",
    );
    expect(
      (await deployment.readiness(name))?.status === 503,
      "the pod was ready during the outage",
    );
    step(`serve again after ${unreadyMs - startMs} ms`);
    for (const node of nodes) await deployment.broker.startNode(node);
    await deployment.until("the pod is ready again", () => {
      const pod = deployment.target.lastSeen(name);
      return pod !== undefined && isReady(pod);
    });
    step(`ready again after ${Date.now() - unreadyMs} ms`);
    await deployment.publish(4);
    await deployment.verify();
    expectFault((await held.hits()) === 1, "no action was held");
    expectEqual((await deployment.effects()).length, 14, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
    const pod = deployment.target.lastSeen(name);
    expect(pod !== undefined, "the pod is gone");
    expectEqual(restarts(pod), 0, "restarts");
  },
};
