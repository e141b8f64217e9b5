import { APP } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { outliveSession, twoActionsEach } from "#e2e/deployment/steps/frozen-pod.ts";

/**
 * The probe period, in seconds. It is long, since probes must not restart the frozen container; on a frozen node none
 * would run.
 */
const PROBE_PERIOD_SECONDS = 300;

export const scenario: Scenario = {
  number: 24,
  name: "frozen-past-its-session",
  title:
    "A consumer that is frozen past its session and resumed has no new effect, and its stale commit is refused.",
  needs: ["container-access", "fault-rules"],
  long: true,
  run: async (context) => {
    const deployment = await context.deploy({
      partitions: 2,
      pod: { probePeriodSeconds: PROBE_PERIOD_SECONDS },
      configure: (document) => twoActionsEach(document, context.durations),
    });
    await outliveSession(deployment, context, async (pod) => {
      await deployment.target.pause(pod, APP);
      return () => deployment.target.unpause(pod, APP);
    });
  },
};
