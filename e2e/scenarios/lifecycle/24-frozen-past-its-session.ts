import { APP } from "#e2e/deployment/pods.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { outliveSession, twoActionsEach } from "#e2e/deployment/zombie.ts";

/** A frozen node does not run the probes either: here they must not restart what is frozen. */
const PROBE_PERIOD_SECONDS = 300;

export const frozenPastItsSession: Scenario = {
  number: 24,
  name: "frozen-past-its-session",
  title:
    "SIGSTOP past the session, SIGCONT: no new effect after resume, the stale commit is refused.",
  needs: ["container-access", "fault-rules"],
  long: true,
  run: async (context) => {
    const stage = await context.stage({
      partitions: 2,
      pod: { probePeriodSeconds: PROBE_PERIOD_SECONDS },
      configure: (document) => twoActionsEach(document, context.durations),
    });
    await outliveSession(stage, context, async (pod) => {
      await stage.target.pause(pod, APP);
      return () => stage.target.unpause(pod, APP);
    });
  },
};
