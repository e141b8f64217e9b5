import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createRunAdmissions } from "#consumer/action/limits.ts";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { assertCounted } from "#fixtures/properties.ts";
import type { PlannedLimits } from "#consumer/planning/plan.ts";
import { createPredictedLimits } from "./predicted-limits.ts";

test("what is predicted of limits is what the volume decides, run by run", async () => {
  const seen = { admitted: 0, refused: 0 };
  await assertCounted(
    fc.asyncProperty(
      fc.record({
        coolDownMs: fc.option(fc.integer({ min: 1, max: 3_000_000 }), { nil: undefined }),
        runsPerHourMax: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      }),
      fc.array(
        fc.record({
          rule: fc.constantFrom("one", "two"),
          values: fc.option(fc.constantFrom<readonly (string | null)[]>(["a"], ["b"], [null]), {
            nil: undefined,
          }),
          incident: fc.constantFrom("a", "b", "c"),
          transition: fc.constantFrom("critical", "ok"),
          laterMs: fc.integer({ min: 0, max: 4_000_000 }),
        }),
        { maxLength: 12 },
      ),
      async (ofRule, runs) => {
        const clock = createManualClock();
        const files = createMemoryVolume({ clock }).mount();
        await files.makeDirectory("temporary");
        const admissions = createRunAdmissions({
          files,
          clock,
          writer: "pod-1",
          pod: "pod",
          eventAgeMsMax: 86_400_000,
        });
        const predicted = createPredictedLimits();
        for (const { rule, values, incident, transition, laterMs } of runs) {
          await clock.advance(laterMs);
          const limits: PlannedLimits =
            values === undefined ? ofRule : { ...ofRule, per: ["tags.host"], values };
          const startedOnMs = 1_795_564_800_000;
          const run = { rule, incidentId: incident, transition, startedOnMs, limits };
          const decided = await admissions.admit(run);
          const atMs = clock.wallMs();
          const guessed = predicted.admit(
            rule,
            { id: incident, transition, startedOnMs },
            limits,
            atMs,
          );
          expect(guessed.admitted).toBe(decided.admitted);
          seen[decided.admitted ? "admitted" : "refused"] += 1;
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(seen.admitted).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(10);
});
