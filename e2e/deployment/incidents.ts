import type { SeededRandom } from "#e2e/base/random.ts";

/** An incident as BigPanda would publish it, with the fields that scenarios look at. */
export interface PublishedIncident {
  readonly id: string;
  /** JSON, as it stands in the topic. */
  readonly value: string;
  /** Whether the rule of the deployment's configuration applies. */
  readonly matched: boolean;
}

/** A fresh incident; the rule matches it unless `severity` says otherwise. */
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
