import { HORIZON_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { OutgoingRecord } from "#consumer/ports.ts";
import type { MemoryVolume } from "#fixtures/ports/files.ts";
import type { ModelBroker } from "#simulator/model/cluster/broker.ts";
import { dueOf, endsOf } from "./attempt-selection.ts";
import type { Violate } from "./invariants.ts";
import type { KeyFacts, Ledger } from "./ledger.ts";

/** The dead letters that were published, each of which is verified when it is read. */
export interface PublishedDeadLetters {
  /** Reads those that were published since the last call. */
  read(): void;
  /**
   * Returns true when it was published. `id` is key and attempt, or partition and offset of a
   * record that cannot be decoded.
   */
  has(id: string): boolean;
  /** Keys that were dead-lettered without an attempt, since their claims may have been swept. */
  readonly belowHorizon: ReadonlySet<string>;
}

export function createPublishedDeadLetters({
  volume,
  ledger,
  broker,
  violate,
}: {
  readonly volume: MemoryVolume;
  readonly ledger: Ledger;
  readonly broker: () => ModelBroker;
  readonly violate: Violate;
}): PublishedDeadLetters {
  const deadLettered = new Set<string>();
  let deadLettersRead = 0;
  const readDeadLetters = (): void => {
    const all = broker().deadLetters;
    for (; deadLettersRead < all.length; deadLettersRead += 1) {
      const deadLetter = all[deadLettersRead];
      if (deadLetter) readDeadLetter(deadLetter);
    }
  };

  const belowHorizon = new Set<string>();

  const isAtHorizon = ({ planned }: KeyFacts): boolean => {
    for (const { bytes } of volume.files(HORIZON_DIRECTORY)) {
      const { startedOnMs }: { startedOnMs: number } = JSON.parse(new TextDecoder().decode(bytes));
      if (planned.incident.startedOnMs <= startedOnMs) return true;
    }
    return false;
  };

  const readDeadLetter = ({ headers }: OutgoingRecord): void => {
    const { "action-key": key, "action-attempt": attempt } = headers;
    if (key === undefined) {
      deadLettered.add(`${headers["source-partition"]}/${headers["source-offset"]}`);
      return;
    }
    deadLettered.add(`${key}.${attempt}`);
    const ends = endsOf(ledger.keys.get(key)?.attempts.get(Number(attempt)));
    const reason = headers["dead-letter-reason"];
    if (ends.some((end) => end.durable && reason === dueOf(end))) return;
    const facts = ledger.keys.get(key);
    if (reason === "in-doubt" && attempt === "1" && facts && isAtHorizon(facts)) {
      belowHorizon.add(key);
      return;
    }
    const files = ends.map((end) => `${dueOf(end)}, ${end.durable ? "durable" : "not durable"}`);
    violate(
      "a dead letter gives the reason that its outcome file gives",
      `${key}: ${reason}, ${files.join("; ") || "nothing"}`,
    );
  };

  return {
    read: readDeadLetters,
    has(id) {
      readDeadLetters();
      return deadLettered.has(id);
    },
    belowHorizon,
  };
}
