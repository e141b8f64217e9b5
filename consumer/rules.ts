import type { Incident } from "./incident.ts";

/** Every field that is given must hold one of its values, compared exactly; none given matches every incident. */
export interface Match {
  readonly status?: readonly string[] | undefined;
  readonly severity?: readonly string[] | undefined;
  /** Holds when any environment of the incident is among them. */
  readonly environment?: readonly string[] | undefined;
  /** Every tag that is named must have one of its values. */
  readonly tags?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** True when the rule applies to the incident. Pure. */
export function matches(match: Match, incident: Incident): boolean {
  return (
    holds(match.status, [incident.status]) &&
    holds(match.severity, incident.severity === null ? [] : [incident.severity]) &&
    holds(match.environment, incident.environments) &&
    Object.entries(match.tags ?? {}).every(([name, wanted]) =>
      holds(wanted, incident.tags.get(name) ?? []),
    )
  );
}

function holds(wanted: readonly string[] | undefined, present: readonly string[]): boolean {
  return wanted === undefined || present.some((value) => wanted.includes(value));
}
