import { hash } from "node:crypto";
import type { ExpectedAction } from "#e2e/checkers/history-event.ts";

export type ActionFields = Pick<
  ExpectedAction,
  "rule" | "action" | "incident" | "transition" | "startedOnMs" | "dryRun"
>;

/**
 * Returns the key that an action must have. It is derived here from the documented encoding
 * (version 1) without the consumer's code, since an encoding that changes would let every action of
 * the retention period run again.
 */
export function actionKeyOf(
  fields: ActionFields,
  mode: "live" | "dry-run" = fields.dryRun === true ? "dry-run" : "live",
): string {
  const prefix = mode === "live" ? "action-key-1" : "dry-run-action-key-1";
  const who = `${netstring(fields.rule)}\n${netstring(fields.action)}`;
  const what = `${netstring(fields.incident)}\n${netstring(fields.transition)}`;
  return hash("sha256", `${prefix}\n${who}\n${what}\n${netstring(String(fields.startedOnMs))}`);
}

function netstring(value: string): string {
  return `${Buffer.byteLength(value)}:${value},`;
}
