import { hash } from "node:crypto";
import { ConsumerError } from "#consumer/errors.ts";

/** The fields that make one action of one transition of one episode distinct from every other. */
export interface KeyFields {
  readonly rule: string;
  /** The name of the action within its rule. */
  readonly action: string;
  readonly incidentId: string;
  /** The status that the incident changed to. */
  readonly transition: string;
  /** The start of the episode, in milliseconds since the epoch. An incident that opens again begins another episode. */
  readonly startedOnMs: number;
}

/**
 * Returns the key of an action: 64 hex digits, the SHA-256 of the canonical encoding of its fields. The key names the
 * claims on the history volume and is sent as `Idempotency-Key`. The encoding must never change, because every action
 * of the retention period would then happen again.
 *
 * A dry run uses a prefix of its own, so it never suppresses a live run.
 *
 * Throws "internal" for an empty or ill-formed field, which `decode` rejects earlier.
 */
export function actionKey(fields: KeyFields, dryRun: boolean): string {
  const recent = recentKeys.get(fields.incidentId) ?? [];
  const known = recent.find((each) => each.dryRun === dryRun && isSame(each.fields, fields));
  if (known) return known.key;
  const key = hash("sha256", canonicalEncoding(fields, dryRun));
  remember({ fields, dryRun, key }, recent);
  return key;
}

interface RecentKey {
  readonly fields: KeyFields;
  readonly dryRun: boolean;
  readonly key: string;
}

/**
 * The keys of the incidents that were seen last. An incident comes again with each change of its alerts, mostly under
 * the same keys, and the hash costs more than everything else that is done for a key that has ended.
 */
const recentKeys = new Map<string, readonly RecentKey[]>();
const RECENT_INCIDENTS_MAX = 4096;
const RECENT_KEYS_MAX = 8;

function remember(added: RecentKey, recent: readonly RecentKey[]): void {
  if (recentKeys.size >= RECENT_INCIDENTS_MAX) recentKeys.clear();
  recentKeys.set(added.fields.incidentId, [added, ...recent].slice(0, RECENT_KEYS_MAX));
}

function isSame(one: KeyFields, other: KeyFields): boolean {
  return (
    one.startedOnMs === other.startedOnMs &&
    one.transition === other.transition &&
    one.action === other.action &&
    one.rule === other.rule &&
    one.incidentId === other.incidentId
  );
}

/**
 * Encodes each field as a netstring (its length in UTF-8 bytes, a colon, its bytes and a comma), after a prefix that
 * names the version and the mode. The lengths make the encoding unambiguous whatever the fields hold.
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
