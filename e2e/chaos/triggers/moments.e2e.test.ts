import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { APP, isReady } from "#e2e/targets/pods.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { ArmedTrigger } from "#e2e/chaos/trigger-kind.ts";
import { LOG_TRIGGERS } from "./log.ts";
import { POD_TRIGGERS } from "./pod.ts";

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

async function arm(
  name: string,
  options: Parameters<FaultTestBed["trigger"]>[0] = {},
  parameters: object = {},
): Promise<ArmedTrigger> {
  const kind = [...POD_TRIGGERS, ...LOG_TRIGGERS].find((one) => one.name === name);
  if (kind === undefined) throw new Error(`there is no trigger ${name}`);
  return await kind.arm(bed.trigger(options), kind.parameters.parse(parameters));
}

describe("moments of a pod", () => {
  test("sees the second line of an event in the log of the pod", async () => {
    const pod = await bed.deployment.readyPod();
    await using armed = await arm("log.event", { pod, ordinal: 2 }, { event: "action.ended" });
    await bed.deployment.publish(2);
    expect(await armed.reached).toMatchObject({ pod, detail: "action.ended was logged" });
    await bed.deployment.allCommitted();
  }, 60_000);

  test("sees a container that starts again, and its pod that gets ready again", async () => {
    const pod = await bed.deployment.readyPod();
    await using started = await arm("pod.started", { pod });
    await using ready = await arm("pod.ready", { pod });
    await using recovered = await arm("log.event", {}, { event: "history.recovered" });
    await bed.deployment.target.kill(pod, APP, "SIGKILL");
    const moments = await Promise.all([started.reached, recovered.reached, ready.reached]);
    expect(moments.map((moment) => moment.pod)).toEqual([pod, pod, pod]);
    const times = moments.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  }, 60_000);

  test("sees the deletion and the preStop hook of a pod, and holds its successor without a certificate", async () => {
    const pod = await bed.deployment.readyPod();
    await using terminating = await arm("pod.terminating", { pod });
    await using preStop = await arm("pod.pre-stop");
    await using awaited = await arm("pod.certificate-awaited");
    await using started = await arm("pod.started");
    await using ready = await arm("pod.ready");
    await bed.deployment.target.deletePod(pod);
    expect((await terminating.reached).pod).toBe(pod);
    expect((await preStop.reached).pod).toBe(pod);
    const successor = (await awaited.reached).pod ?? "";
    expect(successor).not.toBe(pod);
    expect((await started.reached).pod).toBe(successor);
    // The pod would have been ready by then: its predecessor takes longer to stop than a pod takes
    // to start.
    await bed.deployment.gone(pod);
    await bed.deployment.until("its script says that it waits", async () => {
      const log = await bed.deployment.target.logs(successor, APP);
      return log.includes("app_start: waiting up to");
    });
    expect(bed.deployment.target.lastSeen(successor)).not.toSatisfy(isReady);
    expect(await bed.deployment.readiness(successor)).toBeNull();
    await awaited.release();
    expect((await ready.reached).pod).toBe(successor);
    expect(await bed.deployment.readyPod()).toBe(successor);
  }, 60_000);
});
