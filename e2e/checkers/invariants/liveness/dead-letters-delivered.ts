import type { Checker } from "#e2e/checkers/checker.ts";
import {
  type ActionFacts,
  factsOf,
  type HistoryFacts,
  lastAttemptOf,
  outcomeFileOf,
} from "#e2e/checkers/facts/history-facts.ts";
import { secondsAt } from "#e2e/checkers/facts/telling.ts";
import { isDone } from "#e2e/checkers/facts/terminal.ts";
import { certainFindings, mayEndUntold, type OpenFinding } from "#e2e/checkers/facts/untold.ts";

/** What did not end as done has a dead letter of its last attempt, at least one. A late owner's done makes it needless. */
export const deadLettersDelivered: Checker = {
  name: "dead-letters-delivered",
  title: "When faults stop, every dead-letter outcome stands in the dead letter.",
  kind: "liveness",
  needs: ["outcomes", "dead-letters"],
  check(history) {
    const facts = factsOf(history);
    const open = [...facts.actions.values()].flatMap((action) => undelivered(action, facts));
    return certainFindings(history, open);
  },
};

function undelivered(action: ActionFacts, facts: HistoryFacts): OpenFinding[] {
  const last = lastAttemptOf(action);
  const ended = outcomeFileOf(last);
  if (last === undefined || ended === undefined || last.letters.length > 0 || wasDone(action))
    return [];
  const message = `attempt ${last.attempt} of ${action.key} ended ${ended.outcome} (${ended.reason}, by ${ended.pod}) at ${secondsAt(facts, ended.atMs)}, and no dead letter says so`;
  return [{ message, events: [ended.index], mayBeUntold: mayEndUntold(action) }];
}

function wasDone({ attempts }: ActionFacts): boolean {
  return [...attempts.values()].some(({ outcomes }) => outcomes.some(isDone));
}
