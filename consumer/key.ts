import { hash } from "node:crypto";
import { ConsumerError } from "./errors.ts";

/** What makes one action of one transition of one episode distinct from every other. */
export interface KeyFields {
  readonly rule: string;
  /** Name of the action within its rule. */
  readonly action: string;
  readonly incidentId: string;
  /** The status that the incident came to. */
  readonly transition: string;
  /** Start of the episode: the same incident that opens again is another one. */
  readonly startedOnMs: number;
}

/**
 * The key of an action: 64 hex digits, the SHA-256 of the canonical encoding of its fields. It names the
 * claims on the history volume and is sent as `Idempotency-Key`, so the encoding never changes: another
 * one would let every action of the retention period happen again.
 *
 * A dry run hashes under a prefix of its own: it never suppresses a live run.
 *
 * Throws "internal" for an empty or ill-formed field: decode rejects such a record long before.
 */
export function actionKey(fields: KeyFields, dryRun: boolean): string {
  const { rule, action, incidentId, transition, startedOnMs } = fields;
  // Unambiguous as the encoding itself is: every part but the last one is preceded by its length.
  const lengths = `${rule.length} ${action.length} ${transition.length}`;
  const text = `${String(dryRun)} ${startedOnMs} ${lengths} ${rule}${action}${transition}${incidentId}`;
  const known = recent.get(text);
  if (known !== undefined) return known;
  const key = hash("sha256", canonicalEncoding(fields, dryRun));
  if (recent.size >= RECENT_MAX) recent.clear();
  recent.set(text, key);
  return key;
}

/** An incident comes again with each change of its alerts, mostly under the same key; a hash costs as much as all else. */
const recent = new Map<string, string>();
const RECENT_MAX = 4096;

/**
 * Each field as its length in UTF-8 bytes, a colon, its bytes and a comma (a netstring), after a prefix
 * that names version and mode. The lengths make it unambiguous whatever the fields hold.
 */
function canonicalEncoding(fields: KeyFields, dryRun: boolean): string {
  const { rule, action, incidentId, transition, startedOnMs } = fields;
  if (!Number.isSafeInteger(startedOnMs)) {
    throw new ConsumerError("internal", `action key: startedOnMs is no integer: ${startedOnMs}`);
  }
  const who = `${netstring("rule", rule)}\n${netstring("action", action)}`;
  const what = `${netstring("incidentId", incidentId)}\n${netstring("transition", transition)}`;
  const when = netstring("startedOnMs", String(startedOnMs));
  return `${dryRun ? "dry-run-action-key-1" : "action-key-1"}\n${who}\n${what}\n${when}`;
}

function netstring(name: string, value: string): string {
  if (value === "" || !value.isWellFormed()) {
    throw new ConsumerError(
      "internal",
      `action key: ${name} is empty or not well-formed: ${JSON.stringify(value)}`,
    );
  }
  return `${Buffer.byteLength(value)}:${value},`;
}
