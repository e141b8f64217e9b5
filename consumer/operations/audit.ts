import type { AuditRecord } from "#consumer/history/base/audit.ts";
import { temporaryPath } from "#consumer/history/base/layout.ts";
import { createJournalWriter } from "#consumer/history/journal/journal-writer.ts";
import type { Clock, Files, Random } from "#consumer/ports.ts";
import { NONE } from "./volume.ts";

/** The journal in which a command records what it does. Disposing it seals the journal. */
export interface Audit extends AsyncDisposable {
  /** Appends a record and resolves when it is durable. Throws the volume's errors. */
  append(record: AuditRecord): Promise<void>;
  /** Proves that this process can write to the volume. Throws "usage" when it must not, and the volume's errors. */
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
