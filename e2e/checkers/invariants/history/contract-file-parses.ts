import type { Checker } from "#e2e/checkers/checker.ts";

/**
 * A watch reads the file all the time. Its findings are judged here, so that they have their
 * verdict beside the others.
 */
export const contractFileParses: Checker = {
  name: "contract-file-parses",
  title: "automation_action_history.json always parses and never loses an entry that it has shown.",
  kind: "safety",
  needs: ["contract-file"],
  check: ({ contractFile }) => contractFile.map((message) => ({ message, events: [] })),
};
