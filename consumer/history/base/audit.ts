import { z } from "zod";

/**
 * A record of the journal that is no end of an attempt: what an operator did about a key. This program keeps
 * and carries it through compaction whatever its kind; who writes a kind knows its other fields.
 */
export const auditSchema = z.looseObject({
  kind: z.string().regex(/^[a-z][a-z-]*$/),
  /** Of the action it is about. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** Wall clock of who wrote it. Milliseconds since the epoch. */
  atMs: z.number(),
});

export type AuditRecord = Readonly<z.infer<typeof auditSchema>>;

/** Two are the same when they say the same. */
export function auditIdentity(audit: AuditRecord): string {
  return JSON.stringify(Object.entries(audit).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
