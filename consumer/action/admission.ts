import type { Run } from "./attempt.ts";
import { ConsumerError } from "#consumer/errors.ts";
import type { Action, SendResult } from "#consumer/ports.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";

/** Why a claimed attempt is not sent although nothing is wrong with it. */
export type Withheld = "manual" | "suppressed";

/**
 * The end of an attempt that is not to be sent: a dry run, an action for a person, a rule that has run often enough.
 * undefined: send it. The end says what would have been sent. `permitted`: an operator has decided about this key.
 */
export async function withhold(
  { dependencies, lingering }: Run,
  planned: PlannedAction,
  permitted: boolean,
): Promise<{ result: SendResult; withheld?: Withheld } | undefined> {
  const { limits, rule, incident, spec } = planned;
  if (planned.dryRun) {
    return { result: { outcome: "done", detail: `dry-run: ${describeAction(spec)}` } };
  }
  if (permitted) return undefined;
  if (limits !== undefined) {
    const { admissions } = dependencies;
    if (admissions === undefined) {
      throw new ConsumerError("internal", `rule ${rule} has limits, and nobody to keep them`);
    }
    const { id: incidentId, transition, startedOnMs } = incident;
    const asked = { rule, incidentId, transition, startedOnMs, limits };
    const admission = await dependencies.history.hold(
      "judge the limits of a rule",
      (answer) => admissions.admit(asked, answer),
      lingering,
    );
    if (!admission.admitted) {
      const detail = `${admission.detail}; not sent: ${describeAction(spec)}`;
      return { result: { outcome: "rejected", detail }, withheld: "suppressed" };
    }
  }
  if (planned.manual === true) {
    const detail = `manual: ${describeAction(spec)}`;
    return { result: { outcome: "rejected", detail }, withheld: "manual" };
  }
  return undefined;
}

const LENGTH_MAX = 800;

/** Without headers, body and environment: those are the rule's, and long. */
function describeAction(action: Action): string {
  const text =
    action.type === "http" ? `${action.method} ${action.url}` : JSON.stringify(action.command);
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;
}
