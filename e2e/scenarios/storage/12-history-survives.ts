import { checkWriteOnce } from "#e2e/checkers/check-write-once.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 12,
  name: "history-survives",
  title: "The history survives its pod, and the contract file can be parsed at every moment.",
  long: true,
  run: async ({ deploy, step }) => {
    const deployment = await deploy();
    const first = await deployment.readyPod();
    const incidents = await deployment.publish(4);
    await deployment.allCommitted();
    await deployment.until(
      "the contract file shows them",
      () => deployment.contractFile.keys.size === 4,
    );
    const before = await deployment.historyFiles();
    step("replace the pod");
    await deployment.target.deletePod(first);
    await deployment.gone(first);
    const second = await deployment.readyPod();
    expectFault(second !== first, "the pod was not replaced");
    step("publish the same incidents again, and a new one");
    for (const incident of incidents) await deployment.publishAgain(incident);
    await deployment.publish(1);
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 5, "effects");
    const findings = checkWriteOnce(before, await deployment.historyFiles());
    expect(findings.length === 0, findings.join("\n"));
    await deployment.until(
      "the contract file shows the new one",
      () => deployment.contractFile.keys.size === 5,
    );
    expectFault(deployment.contractFile.looks >= 20, `only ${deployment.contractFile.looks} looks`);
    expect(
      deployment.contractFile.findings.length === 0,
      deployment.contractFile.findings.join("\n"),
    );
  },
};
