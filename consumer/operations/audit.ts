import type { AuditRecord } from "#consumer/history/base/audit.ts";
import { temporaryPath } from "#consumer/history/base/layout.ts";
import { createJournalWriter } from "#consumer/history/journal/journal-writer.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";
import { NONE } from "./volume.ts";

/** The journal of this command. Disposing seals it. */
export interface Audit extends AsyncDisposable {
  /** Appends a record and resolves when it is durable. Throws the volume's errors. */
  append(record: AuditRecord): Promise<void>;
  /** Throws "usage" when this process must not write here, and the volume's errors. */
  prove(): Promise<void>;
}

export function openAudit(dependencies: {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
}): Audit {
  const journal = createJournalWriter({
    ...dependencies,
    volumeClock: dependencies.clock,
    metrics: NONE,
    podUid: "operator",
    // The journal is open for a few records only.
    retentionMs: Number.POSITIVE_INFINITY,
  });
  return {
    append: (record) => journal.appendAudit(record),
    async prove() {
      const { files, random } = dependencies;
      const path = temporaryPath(`operator-${random.nonce()}`);
      await (await files.createExclusive(path)).close();
      await files.unlink(path);
    },
    [Symbol.asyncDispose]: () => journal.seal(),
  };
}
