import type { Checker } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { lastAttemptOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import type { ActionEvents, IndexedHistory } from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import { isDone } from "#e2e/checkers/analysis/terminal-times.ts";
import { certainFindings, mayEndOnlyInLog } from "#e2e/checkers/analysis/uncertain-findings.ts";
import type { UncertainFinding } from "#e2e/checkers/analysis/uncertain-findings.ts";

/**
 * An action that did not end as done has at least one dead letter of its last attempt. The `done`
 * of a late owner makes it unnecessary.
 */
export const deadLettersDelivered: Checker = {
  name: "dead-letters-delivered",
  title: "When faults stop, every dead-letter outcome is in the dead-letter topic.",
  kind: "liveness",
  needs: ["outcomes", "dead-letters"],
  check(history) {
    const indexed = indexHistory(history);
    const open = [...indexed.actions.values()].flatMap((action) => undelivered(action, indexed));
    return certainFindings(history, open);
  },
};

function undelivered(action: ActionEvents, indexed: IndexedHistory): UncertainFinding[] {
  const last = lastAttemptOf(action);
  const ended = outcomeFileOf(last);
  if (last === undefined || ended === undefined || last.deadLetters.length > 0 || wasDone(action)) {
    return [];
  }
  const message =
    `attempt ${last.attempt} of ${action.key} ended ${ended.outcome} (${ended.reason}, by ` +
    `${ended.pod}) at ${secondsAt(indexed, ended.atMs)}, and no dead letter reports it`;
  return [{ message, events: [ended.index], mayBeExplainedByLog: mayEndOnlyInLog(action) }];
}

function wasDone({ attempts }: ActionEvents): boolean {
  return [...attempts.values()].some(({ outcomes }) => outcomes.some(isDone));
}
