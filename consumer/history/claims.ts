import type { AttemptOutcome } from "./entry.ts";

/** Everything that is needed to finish an attempt without its owner. */
export interface Claim {
  readonly key: string;
  readonly attempt: number;
  /** Of one run of one attempt; held in memory only, so that no other run takes the claim for its own. */
  readonly nonce: string;
  readonly pod: string;
  readonly rule: string;
  readonly action: string;
  readonly incidentId: string;
  readonly transition: string;
  readonly startedOnMs: number;
  readonly topic: string;
  readonly partition: number;
  /** Decimal. */
  readonly offset: string;
  readonly claimedAtMs: number;
}

export interface Outcome {
  readonly key: string;
  readonly attempt: number;
  /** Of the run that wrote it: the claim's when the owner did. */
  readonly nonce: string;
  readonly pod: string;
  readonly outcome: AttemptOutcome;
  readonly reason: string;
  readonly atMs: number;
}

/** The write-once files of attempts. Every method tries once; errors are the volume's, or "history-unreadable". */
export interface Claims {
  readClaim(key: string, attempt: number): Promise<Claim | undefined>;
  readOutcome(key: string, attempt: number): Promise<Outcome | undefined>;
  /** "taken" says only that the name exists: read it. The name is not durable before `sync`. */
  linkClaim(claim: Claim): Promise<"linked" | "taken">;
  linkOutcome(outcome: Outcome): Promise<"linked" | "taken">;
  /** Makes the names of this key durable, whoever linked them. */
  sync(key: string): Promise<void>;
}
