import type { Checker } from "#e2e/checkers/checker.ts";

/** The watch looks at the file all the time; what it found is judged here, so that it has its verdict beside the others. */
export const contractFileParses: Checker = {
  name: "contract-file-parses",
  title: "automation_action_history.json always parses, and loses nothing that it has shown.",
  kind: "safety",
  needs: ["contract-file"],
  check: ({ contractFile }) => contractFile.map((message) => ({ message, events: [] })),
};
