import type { Checker } from "#e2e/checkers/checker.ts";

/**
 * A claim or an outcome gets its name by link(2), when its content is durable: whatever else stands there, such as a torn file, no correct
 * consumer could have written. It is a finding of its own, and no evidence that is missing: checkers of the other invariants go on without it.
 */
export const claimFilesWhole: Checker = {
  name: "claim-files-whole",
  title:
    "Below claims/ stand only claims, outcomes and resolutions, whole and under the names of their keys.",
  kind: "safety",
  needs: ["claims", "outcomes"],
  check: ({ strangeFiles }) => strangeFiles.map((message) => ({ message, events: [] })),
};
