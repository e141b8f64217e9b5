import { createRunAdmissions } from "#consumer/action/limits.ts";
import { limitsDirectoryOf } from "#consumer/history/base/layout.ts";
import type { PlannedLimits } from "#consumer/planning/plan.ts";
import type { Clock } from "#consumer/ports.ts";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import type { FileCall, Intercept } from "#fixtures/ports/files.ts";

const HOUR_MS = 3_600_000;
const NEVER = new AbortController().signal;

/** The directory of the rule that every run belongs to. */
export const DIRECTORY = limitsDirectoryOf("r");

/** The decisions about runs, without pods; `pod` starts another process on the same volume. */
export async function createLimitsTestBed(eventAgeMsMax = HOUR_MS) {
  const clock = createManualClock();
  const volume = createMemoryVolume({ clock });
  await volume.mount().makeDirectory("temporary");
  let pods = 0;
  const pod = (intercept?: Intercept, ownClock: Clock = clock) => {
    pods += 1;
    const calls: FileCall[] = [];
    const files = volume.mount(async (call) => {
      if (call.phase === "before") calls.push(call);
      await intercept?.(call);
    });
    const options = { files, clock: ownClock, writer: `w${pods}`, pod: `p${pods}`, eventAgeMsMax };
    const admissions = createRunAdmissions(options);
    return {
      calls,
      admit(incidentId: string, limits: PlannedLimits, startedOnMs = clock.wallMs()) {
        const run = { rule: "r", incidentId, transition: "active", startedOnMs, limits };
        return admissions.admit(run);
      },
      forget: (giveUp = NEVER) => admissions.forget(giveUp),
    };
  };
  const left = (extension: string) =>
    volume.paths().filter((path) => path.startsWith(DIRECTORY) && path.endsWith(extension));
  return { clock, volume, pod, left };
}
