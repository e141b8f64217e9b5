import type { Checker } from "#e2e/checkers/checker.ts";

/**
 * A claim or an outcome gets its name by link(2) when its content is durable, so that no correct
 * consumer can have written anything else that is there, such as a torn file. This is a finding of
 * its own and no missing evidence: the checkers of the other invariants go on without the file.
 */
export const claimFilesWhole: Checker = {
  name: "claim-files-whole",
  title:
    "Below claims/ there are only complete claims, outcomes and resolutions, under the names of their keys.",
  kind: "safety",
  needs: ["claims", "outcomes"],
  check: ({ strangeFiles }) => strangeFiles.map((message) => ({ message, events: [] })),
};
