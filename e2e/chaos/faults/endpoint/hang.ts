import { z } from "zod";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { faultKind } from "#e2e/chaos/fault-kind.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";
import { lastingFault } from "#e2e/chaos/faults/injected-fault.ts";
import { drawTimes, MOMENTS, times } from "./parameters.ts";
import type { Bounded, Moment } from "./parameters.ts";

interface HangParameters extends Bounded {
  readonly moment: Moment;
}

export const endpointHang: FaultKind = faultKind<HangParameters>({
  name: "endpoint.hang",
  title: "The action endpoint takes requests and does not answer, before or after their effect.",
  scope: "deployment",
  lasting: true,
  needs: [],
  causes: ["dead-letters"],
  parameters: z.strictObject({ moment: z.enum(MOMENTS), times }),
  draw: (random) => ({ moment: random.pick(MOMENTS), times: drawTimes(random) }),
  inject: ({ deployment }, parameters) => hangActions(deployment, parameters),
});

/** Leaves requests without an answer. Healing completes those whose sender is still there. */
export async function hangActions(
  deployment: TestDeployment,
  { moment, times: timesMax }: HangParameters,
): Promise<InjectedFault> {
  const hold = await deployment.actions.hold(
    moment === "before-effect" ? "before-request" : "after-effect",
    // The match is empty, since without one connections are held before their requests are read.
    { match: {}, ...(timesMax !== undefined && { times: timesMax }) },
  );
  return lastingFault(
    async () => {
      const hits = await hold.hits();
      return hits === 0 ? undefined : `${hits} requests were left without an answer`;
    },
    () => hold.release(),
  );
}
