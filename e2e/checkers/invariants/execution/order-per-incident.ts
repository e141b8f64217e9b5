import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import type {
  ActionEvents,
  IndexedHistory,
  Indexed,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { joinNames, secondsAt } from "#e2e/checkers/analysis/wording.ts";
import type { Effect } from "#e2e/checkers/history-event.ts";

interface Placed {
  readonly action: ActionEvents;
  readonly effect: Indexed<Effect>;
  readonly offset: number;
}

/**
 * The effects of one incident come in the order of its records, whichever pods sent them. Actions
 * of one record have no order among them. An attempt in doubt may have its effect late, since
 * nobody waits for it any more. A repeated record counts at its first position.
 */
export const orderPerIncident: Checker = {
  name: "order-per-incident",
  title: "The effects of an incident come in the order of its records, except after an in-doubt.",
  kind: "safety",
  needs: ["published", "effects", "outcomes"],
  check(history) {
    const indexed = indexHistory(history);
    const findings: Finding[] = [];
    for (const effects of byIncident(indexed).values()) {
      let latest: Placed | undefined;
      for (const placed of effects.toSorted(
        (one, other) => one.effect.index - other.effect.index,
      )) {
        if (latest !== undefined && placed.offset < latest.offset && !wasInDoubt(placed.action)) {
          findings.push(outOfOrder(placed, latest, indexed));
        }
        if (latest === undefined || placed.offset > latest.offset) latest = placed;
      }
    }
    return findings;
  },
};

function byIncident({ actions }: IndexedHistory): ReadonlyMap<string, readonly Placed[]> {
  const incidents = new Map<string, Placed[]>();
  for (const action of actions.values()) {
    const [first] = action.records;
    if (first === undefined || action.effects.length === 0) continue;
    // Records of different partitions have no order.
    const name = `${first.topic}/${first.partition} ${first.incident}`;
    const placed = incidents.get(name) ?? [];
    incidents.set(name, placed);
    for (const effect of action.effects) {
      placed.push({ action, effect, offset: Number(first.offset) });
    }
  }
  return incidents;
}

function wasInDoubt({ attempts }: ActionEvents): boolean {
  for (const { outcomes } of attempts.values()) {
    if (outcomes.some(({ outcome }) => outcome === "in-doubt")) return true;
  }
  return false;
}

function outOfOrder(late: Placed, early: Placed, indexed: IndexedHistory): Finding {
  const describePlaced = ({ action, effect, offset }: Placed): string =>
    `offset ${offset} (${action.key}) at ${secondsAt(indexed, effect.atMs)}`;
  const incident = late.action.expected?.incident;
  const pods = joinNames([early.effect.pod, late.effect.pod]);
  const message =
    `incident ${incident}: the effect of ${describePlaced(early)} came before that of ${describePlaced(late)}; sent ` +
    `by ${pods}`;
  return { message, events: [early.effect.index, late.effect.index] };
}
