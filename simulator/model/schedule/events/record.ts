import { anIncident } from "#fixtures/incidents.ts";
import { DURATIONS } from "#simulator/model/settings.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";

/** Returns a start of which some are near the limit of the age, in seconds since the epoch. */
export function startedOnOf(nowMs: number, random: StepRandom): number {
  const nearTheLimit = random.next() < 0.35;
  // Most of the records near the limit reach it while they are worked on.
  const ageMs = nearTheLimit
    ? DURATIONS.eventAgeMsMax - 15_000 + random.below(20_000)
    : random.below(20_000);
  return Math.round((nowMs - ageMs) / 1000);
}

/** Returns an incident or, now and then, bytes that cannot be decoded. */
export function recordOf(id: string, startedOn: number, random: StepRandom): Uint8Array {
  if (random.next() < 0.06) return new TextEncoder().encode("{");
  const incident = anIncident({
    id,
    status: random.pick(["active", "acknowledged", "resolved"]) ?? "active",
    severity: random.pick(["critical", "warning"]) ?? "critical",
    environment: random.next() < 0.9 ? "production" : "staging",
    started_on: startedOn,
  });
  return new TextEncoder().encode(JSON.stringify(incident));
}
