import { pause } from "#e2e/base/waiting.ts";
import { killConsumer, readyAgain } from "#e2e/deployment/steps/kill-consumer.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { expect, expectEqual } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { APP } from "#e2e/targets/pods.ts";

const LAUNCHER = "/opt/y/1.0/bin/kafka_consumer";

export const scenario: Scenario = {
  number: 41,
  name: "killed-while-paused",
  title:
    "While an operator has paused the work nothing begins, also after a SIGKILL; after the resume everything goes on.",
  needs: ["container-access"],
  run: async ({ deploy, step, durations, signal }) => {
    const deployment = await deploy();
    const pod = await deployment.readyPod();
    await deployment.publish(2);
    await deployment.allCommitted();

    step("pause the work by the command");
    const paused = await order("pause", pod, deployment);
    expect(paused.includes(`acknowledged: ${pod}`), `${pod} has not acknowledged:\n${paused}`);
    await deployment.publish(3);
    await pause(durations.quietMs, signal);
    await nothingBegan(deployment, 2, "while the work is paused");
    const answer = await deployment.readiness(pod);
    expectEqual(answer?.status, 200, "status of /readyz while the work is paused");
    expect(answer?.body.includes('"paused":{"by":"eve"') === true, `/readyz: ${answer?.body}`);

    step("kill the consumer");
    await killConsumer(deployment, pod);
    await readyAgain(deployment, pod);
    await pause(durations.quietMs, signal);
    await nothingBegan(deployment, 2, "after the SIGKILL");

    step("resume the work by the command");
    await order("resume", pod, deployment);
    await deployment.allCommitted();
    await deployment.verify();
    expectEqual((await deployment.effects()).length, 5, "effects");
    expectEqual((await deployment.deadLetters()).length, 0, "dead letters");
  },
};

async function order(
  name: "pause" | "resume",
  pod: string,
  { target }: TestDeployment,
): Promise<string> {
  const command = [LAUNCHER, name, "--by", "eve", "--reason", "a wrong rule"];
  const { exitCode, stdout, stderr } = await target.exec(pod, APP, command);
  expectEqual(exitCode, 0, `exit code of ${name} (${stderr.trim()})`);
  return stdout;
}

async function nothingBegan(
  deployment: TestDeployment,
  before: number,
  when: string,
): Promise<void> {
  expectEqual((await deployment.effects()).length, before, `effects ${when}`);
  expectEqual((await deployment.historyFiles()).claims.length, before, `claims ${when}`);
}
