import { expectNoContact } from "#e2e/deployment/steps/broker-contact.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { podName, restarts } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { grant } from "#e2e/deployment/services.ts";

export const scenario: Scenario = {
  number: 4,
  name: "ckms-denies-then-grants",
  title:
    "A denied identity keeps the pod unready and shows the reason; a grant heals the pod without a restart.",
  run: async ({ deploy, step }) => {
    const deployment = await deploy({ granted: false });
    const name = await deployment.startedPod();
    step("wait until /readyz gives the reason");
    let body = "";
    await deployment.until(
      "/readyz names the role that is missing",
      async () => {
        const answer = await deployment.readiness(name);
        body = answer?.body ?? "";
        return answer?.status === 503 && body.includes("is not a member of role");
      },
      { seen: () => body },
    );
    const denied = (await deployment.ckms.control.requests()).filter(
      ({ status }) => status === 403,
    );
    expectFault(denied.length > 0, "CKMS denied nothing");
    expect(body.includes("bigpanda.keys.sre.access"), `the reason names no role: ${body}`);
    await expectNoContact(deployment, "while it is denied");
    step("grant the role");
    grant(deployment.athenz);
    const [pod] = await deployment.ready();
    expect(pod !== undefined, "no pod is ready");
    expectEqual(podName(pod), name, "the pod that is ready");
    expectEqual(restarts(pod), 0, "restarts");
    await deployment.publish(1);
    await deployment.verify();
  },
};
