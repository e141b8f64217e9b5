import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { actionKeyOf } from "#e2e/checkers/analysis/action-key.ts";
import type { ActionFields } from "#e2e/checkers/analysis/action-key.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { claimFileOf } from "#e2e/checkers/analysis/indexed-history.ts";

/**
 * Each claim is under the key of its own rule, action, incident, transition and start, and under no
 * other.
 */
export const keysDistinct: Checker = {
  name: "keys-distinct",
  title: "Distinct incidents, transitions and episodes never share a key.",
  kind: "safety",
  needs: ["claims"],
  check(history) {
    const findings: Finding[] = [];
    for (const { key, attempts, expected } of indexHistory(history).actions.values()) {
      for (const attempt of attempts.values()) {
        const file = claimFileOf(attempt);
        if (file?.claim === undefined) continue;
        const due = keysOf(file.claim);
        if (due.includes(key)) continue;
        const keyOwner =
          expected === undefined ? "nothing that was published" : identityOf(expected);
        const message =
          `the claim of attempt ${attempt.attempt} of ${key} by ${file.pod} is about ` +
          `${identityOf(file.claim)}, and the key is that of ${keyOwner}`;
        findings.push({ message, events: [file.index] });
      }
    }
    return findings;
  },
};

function keysOf(fields: ActionFields): readonly string[] {
  return [actionKeyOf(fields), actionKeyOf(fields, "dry-run")];
}

function identityOf({ rule, action, incident, transition, startedOnMs }: ActionFields): string {
  return `${rule}/${action} of incident ${incident}, ${transition}, started at ${new Date(startedOnMs).toISOString()}`;
}
