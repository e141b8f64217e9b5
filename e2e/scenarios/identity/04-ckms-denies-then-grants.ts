import { expectNoContact } from "#e2e/deployment/broker-contact.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { podName, restarts } from "#e2e/deployment/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { grant } from "#e2e/deployment/services.ts";

export const ckmsDeniesThenGrants: Scenario = {
  number: 4,
  name: "ckms-denies-then-grants",
  title:
    "A denied identity keeps the pod unready with the reason; the grant heals it without a restart.",
  run: async ({ stage: open, step }) => {
    const stage = await open({ granted: false });
    const name = await stage.startedPod();
    step("wait until /readyz gives the reason");
    let body = "";
    await stage.until(
      "/readyz names the role that is missing",
      async () => {
        const answer = await stage.readiness(name);
        body = answer?.body ?? "";
        return answer?.status === 503 && body.includes("is not a member of role");
      },
      { seen: () => body },
    );
    const denied = (await stage.ckms.control.requests()).filter(({ status }) => status === 403);
    expectFault(denied.length > 0, "CKMS denied nothing");
    expect(body.includes("bigpanda.keys.sre.access"), `the reason names no role: ${body}`);
    await expectNoContact(stage, "while it is denied");
    step("grant the role");
    grant(stage.athenz);
    const [pod] = await stage.ready();
    expect(pod !== undefined, "no pod is ready");
    expectEqual(podName(pod), name, "the pod that is ready");
    expectEqual(restarts(pod), 0, "restarts");
    await stage.publish(1);
    await stage.judge();
  },
};
