import type { SeededRandom } from "#e2e/base/random.ts";

/** An incident as BigPanda would publish it, with the fields that scenarios look at. */
export interface PublishedIncident {
  readonly id: string;
  /** The JSON text of the record. */
  readonly value: string;
  /** True when the rule of the deployment's configuration applies. */
  readonly matched: boolean;
}

/** Returns a new incident. The rule matches it unless `severity` is "warning". */
export function createIncident(
  random: SeededRandom,
  severity: "critical" | "warning" = "critical",
): PublishedIncident {
  const id = Array.from({ length: 24 }, () => random.below(16).toString(16)).join("");
  const value = {
    id,
    status: "active",
    severity,
    started_on: Math.floor(Date.now() / 1000),
    title: `CPU load on web-${random.below(100)} above 90 %`,
    environment: "production",
    tags: { service: ["web"], host: [`web-${random.below(100)}.example.com`] },
  };
  return { id, value: JSON.stringify(value), matched: severity === "critical" };
}
