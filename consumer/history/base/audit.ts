import { z } from "zod";

/**
 * A record of the journal that describes what an operator did about a key. Journals and snapshots keep it whatever its
 * kind; only the command that writes a kind knows its other fields.
 */
export const auditSchema = z.looseObject({
  kind: z.string().regex(/^[a-z][a-z-]*$/),
  /** The key of the action, or another sha256 for records that are about no action. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** The wall clock of the writer, in milliseconds since the epoch. */
  atMs: z.number(),
});

export type AuditRecord = Readonly<z.infer<typeof auditSchema>>;

/** Returns a text that is equal for two records with equal content. */
export function auditIdentity(audit: AuditRecord): string {
  return JSON.stringify(Object.entries(audit).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
