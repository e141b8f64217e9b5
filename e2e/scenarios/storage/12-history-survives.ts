import { checkWriteOnce } from "#e2e/checkers/write-once.ts";
import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const historySurvives: Scenario = {
  number: 12,
  name: "history-survives",
  title: "The history survives the pod, and the contract file parses at every moment.",
  long: true,
  run: async ({ stage: open, step }) => {
    const stage = await open();
    const first = await stage.readyPod();
    const incidents = await stage.publish(4);
    await stage.settled();
    await stage.until("the contract file shows them", () => stage.contractFile.keys.size === 4);
    const before = await stage.historyFiles();
    step("replace the pod");
    await stage.target.deletePod(first);
    await stage.gone(first);
    const second = await stage.readyPod();
    expectFault(second !== first, "the pod was not replaced");
    step("publish the same incidents again, and a new one");
    for (const incident of incidents) await stage.publishAgain(incident);
    await stage.publish(1);
    await stage.judge();
    expectEqual((await stage.effects()).length, 5, "effects");
    const findings = checkWriteOnce(before, await stage.historyFiles());
    expect(findings.length === 0, findings.join("\n"));
    await stage.until(
      "the contract file shows the new one",
      () => stage.contractFile.keys.size === 5,
    );
    expectFault(stage.contractFile.looks >= 20, `only ${stage.contractFile.looks} looks`);
    expect(stage.contractFile.findings.length === 0, stage.contractFile.findings.join("\n"));
  },
};
