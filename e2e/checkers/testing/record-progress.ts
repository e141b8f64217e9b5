import type { Choose } from "./choices.ts";
import type { ClaimedAttempt, HistoryBuilder, PlannedAction } from "./history-builder.ts";

type Stage = "new" | "claimed" | "sent" | "applied" | "ended" | "finished";

/** Ways in which an attempt ends. */
const OUTCOMES = [
  "done",
  "done",
  "done",
  "done",
  "failed-not-applied",
  "in-doubt",
  "rejected",
  "suppressed",
] as const;

type Planned = (typeof OUTCOMES)[number] | "request-changed";

function isUnsent(planned: Planned): boolean {
  return planned === "suppressed" || planned === "request-changed";
}

/** Keeps what is known of one record of the topic, and how far the pods have come with it. */
export class RecordProgress {
  readonly partition: number;
  readonly offset: string;
  /** The incident; null for a record that cannot be decoded. */
  readonly incident: string | null;
  /** The action; undefined when no rule matches. */
  readonly action: PlannedAction | undefined;
  /** The record of the same incident before it, which has to be finished first. */
  readonly #before: RecordProgress | undefined;
  readonly #isTooOld: boolean;
  #stage: Stage = "new";
  #attempt = 1;
  #claimed: ClaimedAttempt | undefined;
  #planned: Planned = "done";
  #outcome = "";

  constructor(
    place: Pick<RecordProgress, "partition" | "offset" | "incident" | "action">,
    more: { readonly before?: RecordProgress | undefined; readonly isTooOld?: boolean } = {},
  ) {
    this.partition = place.partition;
    this.offset = place.offset;
    this.incident = place.incident;
    this.action = place.action;
    this.#before = more.before;
    this.#isTooOld = more.isTooOld ?? false;
  }

  get isFinished(): boolean {
    return this.#stage === "finished";
  }

  get isPossible(): boolean {
    return !this.isFinished && (this.#before?.isFinished ?? true);
  }

  /** The pod that has claimed an attempt and has not ended it. */
  get claimant(): string | undefined {
    return ["claimed", "sent", "applied"].includes(this.#stage) ? this.#claimed?.pod : undefined;
  }

  /** True when the next step writes a claim or an outcome. */
  get needsVolume(): boolean {
    if (this.action === undefined || this.#isTooOld) return false;
    return this.#stage === "new" || this.#stage === "applied";
  }

  /** Advances by one step of the pod that owns the partition. */
  advance(builder: HistoryBuilder, owner: string, choose: Choose): void {
    if (this.action === undefined) return this.#pass(builder);
    if (this.#before?.action?.key === this.action.key) return this.#finish();
    if (this.#isTooOld) return this.#giveUp(builder, owner, this.action);
    switch (this.#stage) {
      case "new":
        return this.#claim(builder, owner, choose);
      case "claimed":
        return this.#send(builder, choose);
      case "sent":
        return this.#apply(builder);
      case "applied":
        return this.#end(builder, this.#planned);
      case "ended":
        return this.#follow(builder, choose);
      case "finished":
    }
  }

  /**
   * Completes what the claimant has claimed before it loses the partition in a cooperative
   * rebalance.
   */
  drain(builder: HistoryBuilder): void {
    if (this.claimant === undefined) return;
    if (this.#stage === "claimed") return this.#end(builder, "failed-not-applied");
    if (this.#stage === "sent") this.#apply(builder);
    this.#end(builder, this.#planned);
  }

  /**
   * Lets another pod call the attempt in doubt, since the claimant is gone or frozen. If the
   * request was on its way, returns what the claimant does when it goes on: the effect comes late,
   * and the claimant reports it.
   */
  abandon(builder: HistoryBuilder, other: string): (() => void) | undefined {
    const claimed = this.#claimed;
    if (claimed === undefined || this.claimant === undefined) return undefined;
    const stage = this.#stage;
    builder.wait(1000).orphan(claimed, other);
    this.#ended("in-doubt");
    if (stage === "claimed" || this.#planned !== "done") return undefined;
    const { action, attempt, pod } = claimed;
    return () => {
      if (stage === "sent") builder.effect(claimed);
      const late = { pod, key: action.key, attempt, nonce: "", outcome: "done" } as const;
      builder.add({ kind: "ended", from: "log", ...late, reason: "late" });
    };
  }

  #pass(builder: HistoryBuilder): void {
    if (this.incident === null) builder.letterOfRecord(this.offset, this.partition);
    this.#finish();
  }

  #giveUp(builder: HistoryBuilder, pod: string, { key }: PlannedAction): void {
    const said = { pod, key, attempt: 0, nonce: "", outcome: "rejected", reason: "too-old" };
    builder.add({ kind: "ended", from: "log", ...said });
    this.#finish();
  }

  #claim(builder: HistoryBuilder, pod: string, choose: Choose): void {
    const { action } = this;
    if (action === undefined) return;
    this.#claimed = builder.claim(action, { pod, attempt: this.#attempt });
    const planned = OUTCOMES[choose(OUTCOMES.length)] ?? "done";
    // Limits are checked at every attempt, but only a later one can have another request than before.
    this.#planned = planned === "suppressed" && this.#attempt > 1 ? "request-changed" : planned;
    this.#stage = "claimed";
  }

  #send(builder: HistoryBuilder, choose: Choose): void {
    if (this.#claimed === undefined) return;
    this.#stage = "applied";
    // An action that the limits of its rule suppress, or whose request has changed, is claimed and never sent.
    if (isUnsent(this.#planned)) return;
    builder.send(this.#claimed);
    // Some requests never arrive, and their senders cannot know.
    if (this.#planned === "in-doubt" && choose(2) === 1) return;
    this.#stage = "sent";
  }

  #apply(builder: HistoryBuilder): void {
    const isApplied = this.#planned === "done" || this.#planned === "in-doubt";
    if (isApplied && this.#claimed !== undefined) builder.effect(this.#claimed);
    this.#stage = "applied";
  }

  #end(builder: HistoryBuilder, outcome: Planned): void {
    if (this.#claimed === undefined) return;
    if (isUnsent(outcome)) builder.outcome(this.#claimed, "rejected", { reason: outcome });
    else builder.outcome(this.#claimed, outcome);
    this.#ended(outcome);
  }

  #ended(outcome: string): void {
    this.#outcome = outcome;
    this.#stage = outcome === "done" ? "finished" : "ended";
  }

  /**
   * Begins another attempt where that is allowed, and otherwise publishes the dead letter, which
   * may come twice.
   */
  #follow(builder: HistoryBuilder, choose: Choose): void {
    const { action } = this;
    if (action === undefined) return;
    const { attemptsMax, idempotent } = action.expected;
    const isRepeatable =
      this.#outcome === "failed-not-applied" || (this.#outcome === "in-doubt" && idempotent);
    if (isRepeatable && this.#attempt < attemptsMax) {
      this.#attempt += 1;
      this.#stage = "new";
      return;
    }
    builder.deadLetter({ action, attempt: this.#attempt }, this.#outcome);
    if (choose(3) !== 1) this.#finish();
  }

  #finish(): void {
    this.#stage = "finished";
  }
}
