import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isTerminating, podName } from "#e2e/targets/pods.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { FaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { podDelete, podForceDelete } from "./pod/delete.ts";
import { podKill } from "./pod/kill.ts";
import { deploymentScale } from "./pod/scale.ts";

let bed: FaultTestBed;

beforeAll(async () => {
  bed = await openFaultTestBed();
}, 60_000);

afterAll(async () => await bed?.[Symbol.asyncDispose](), 60_000);

async function inject(kind: FaultKind, pod: string, given: object = {}): Promise<InjectedFault> {
  return await kind.inject(bed.fault(pod), kind.parameters.parse(given));
}

async function proof(fault: InjectedFault): Promise<string> {
  return await bed.deployment.until("the fault fired", () => fault.fired());
}

describe("faults of a pod", () => {
  test.each(["container", "consumer"] as const)(
    "pod.kill ends the %s, which its exit code proves",
    async (process) => {
      const pod = await bed.deployment.readyPod();
      await using fault = await inject(podKill, pod, { process });
      expect(await proof(fault)).toBe("exit code 137");
      await fault.heal();
      expect(await bed.deployment.readyPod()).toBe(pod);
    },
    60_000,
  );

  test("pod.kill of a pod that is gone is impossible", async () => {
    await expect(inject(podKill, "no-such-pod")).rejects.toThrow(FaultImpossibleError);
  });

  test("pod.delete drains a pod, and cannot delete the same pod again", async () => {
    const pod = await bed.deployment.readyPod();
    await using fault = await inject(podDelete, pod);
    await expect(inject(podDelete, pod)).rejects.toThrow("is gone or terminates already");
    await bed.deployment.gone(pod);
    expect(await proof(fault)).toMatch(/^gone \d+ ms after the deletion$/);
    expect(await bed.deployment.readyPod()).not.toBe(pod);
  }, 60_000);

  test("pod.force-delete removes a pod at once", async () => {
    const pod = await bed.deployment.readyPod();
    await using fault = await inject(podForceDelete, pod);
    expect(await proof(fault)).toBe("removed at once");
    expect(await bed.deployment.readyPod()).not.toBe(pod);
  }, 60_000);

  test("deployment.scale adds a pod and takes it back when it is healed", async () => {
    await bed.deployment.ready(1);
    await using fault = await inject(deploymentScale, "", { change: 1 });
    expect(await proof(fault)).toMatch(/^1 replicas became 2: \S+ started$/);
    await bed.deployment.ready(2);
    // The end of another scaling leaves this one in force.
    await using another = await inject(deploymentScale, "", { change: 1 });
    expect(await proof(another)).toMatch(/^2 replicas became 3: \S+ started$/);
    await another.heal();
    await bed.deployment.ready(2);
    await fault.heal();
    await bed.deployment.until("one pod is left", async () => {
      const pods = await bed.deployment.target.pods();
      return pods.filter((pod) => !isTerminating(pod)).map((pod) => podName(pod)).length === 1;
    });
    await expect(inject(deploymentScale, "", { change: -1 })).rejects.toThrow("leaves no pod");
  }, 60_000);
});
