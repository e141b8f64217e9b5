import { APP } from "#e2e/targets/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { outliveSession, twoActionsEach } from "#e2e/deployment/frozen-pod.ts";

/** A frozen node does not run the probes either: here they must not restart what is frozen. */
const PROBE_PERIOD_SECONDS = 300;

export const scenario: Scenario = {
  number: 24,
  name: "frozen-past-its-session",
  title:
    "SIGSTOP past the session, SIGCONT: no new effect after resume, the stale commit is refused.",
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
