import { expect, expectEqual, expectFault } from "#e2e/errors.ts";
import { APP, lastTermination } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

export const scenario: Scenario = {
  number: 9,
  name: "prestop-overruns",
  title:
    "When a preStop hook overruns, the pod gets SIGTERM at the end of its grace period and SIGKILL two seconds later.",
  needs: ["container-access"],
  long: true,
  run: async ({ deploy, step, durations }) => {
    const graceMs = durations.overrunGraceSeconds * 1000;
    const deployment = await deploy({
      pod: {
        terminationGracePeriodSeconds: durations.overrunGraceSeconds,
        prestopTimeoutSeconds: durations.overrunGraceSeconds * 10,
      },
      // The consumer waits for an unanswered action for longer than the grace period.
      configure: (document) => ({
        ...document,
        execution: {
          ...document.execution,
          actionDeadlineMs: graceMs * 10,
          drainMs: graceMs * 10,
          orphanWaitMs: durations.orphanWaitMs,
        },
      }),
    });
    const name = await deployment.readyPod();
    step("delete the pod while its action is held for good");
    const held = await deployment.actions.hold("after-effect", { times: 1 });
    await deployment.publish(1);
    await held.arrived;
    // The time is taken before the deletion, since a watch reports it only after the kubelet began to count.
    const askedMs = Date.now();
    await deployment.target.deletePod(name);
    const last = await deployment.gone(name, graceMs + durations.stepMsMax);
    expectFault((await held.hits()) === 1, "no action was held");
    expectEqual(lastTermination(last)?.exitCode, 137, "exit code");

    const sentTo = ({ pod, container }: ContainerEvent): boolean =>
      pod === name && container === APP;
    const momentOf = (signal: string) =>
      deployment.target.history().find((entry) => entry.signal === signal && sentTo(entry))?.atMs;
    const sentMs = async (signal: string) =>
      (await deployment.until(`${signal} was sent`, () => momentOf(signal))) - askedMs;
    const [termMs, killMs] = [await sentMs("SIGTERM"), await sentMs("SIGKILL")];
    step(`SIGTERM after ${termMs} ms, SIGKILL after ${killMs} ms`);
    const lateMsMax = durations.signalLateMsMax;
    expect(within(termMs, graceMs, lateMsMax), `SIGTERM after ${termMs} ms, not at ${graceMs} ms`);
    expect(within(killMs - termMs, 2000, lateMsMax), `SIGKILL ${killMs - termMs} ms after SIGTERM`);
    expect(
      deployment.target.events().some(({ reason }) => reason === "FailedPreStopHook"),
      "no event FailedPreStopHook",
    );
    await held.drop();
    step("wait for the replacement to end the key");
    await deployment.ready();
    await deployment.verify();
  },
};

/** Returns true when an event came at its time or a little later. On a busy machine it may be late, but never early. */
function within(seenMs: number, wantedMs: number, lateMsMax: number): boolean {
  return seenMs >= wantedMs - 50 && seenMs <= wantedMs + lateMsMax;
}
