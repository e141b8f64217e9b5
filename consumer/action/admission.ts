import { ConsumerError } from "#consumer/errors.ts";
import type { Action, SendResult } from "#consumer/ports.ts";
import type { Run } from "./types.ts";
import type { PlannedAction } from "#consumer/planning/plan.ts";

/** The end of an attempt that is not to be sent. */
interface Refusal {
  /** Its detail says what would have been sent. */
  readonly result: SendResult;
  readonly reason: "dry-run" | "manual" | "suppressed";
}

/**
 * Checks whether a claimed attempt may be sent. Returns undefined when it may, and otherwise how the attempt ends:
 * because it is a dry run, because the action is left to a person, or because its rule has run as often as it may.
 * `permitted` says that an operator has allowed this key to be tried again; limits and manual mode then do not apply.
 * Throws "internal" when the rule has limits and the process was assembled without anything to enforce them.
 */
export async function checkAdmission(
  { dependencies, lingering }: Run,
  planned: PlannedAction,
  permitted: boolean,
): Promise<Refusal | undefined> {
  const { limits, rule, incident, spec } = planned;
  if (planned.dryRun) {
    const detail = `dry-run: ${describeAction(spec)}`;
    return { result: { outcome: "done", detail }, reason: "dry-run" };
  }
  if (permitted) return undefined;
  if (limits !== undefined) {
    const { admissions } = dependencies;
    if (admissions === undefined) {
      throw new ConsumerError("internal", `rule ${rule} has limits, and nothing enforces them`);
    }
    const { id: incidentId, transition, startedOnMs } = incident;
    const asked = { rule, incidentId, transition, startedOnMs, limits };
    const admission = await dependencies.history.retry(
      "check the limits of a rule",
      (answer) => admissions.admit(asked, answer),
      lingering,
    );
    if (!admission.admitted) {
      const detail = `${admission.detail}; not sent: ${describeAction(spec)}`;
      return { result: { outcome: "rejected", detail }, reason: "suppressed" };
    }
  }
  if (planned.manual === true) {
    const detail = `manual: ${describeAction(spec)}`;
    return { result: { outcome: "rejected", detail }, reason: "manual" };
  }
  return undefined;
}

const LENGTH_MAX = 800;

/** Describes an action in one line, without its headers, body and environment, which are long and stand in the rule. */
function describeAction(action: Action): string {
  const text =
    action.type === "http" ? `${action.method} ${action.url}` : JSON.stringify(action.command);
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;
}
