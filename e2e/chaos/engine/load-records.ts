import type { SeededRandom } from "#e2e/base/random.ts";
import type { LoadPlan } from "#e2e/chaos/schedule.ts";
import type { IncidentKind } from "./chaos-rules.ts";

/** A record as it is appended. */
export interface LoadRecord {
  /** The id of the incident; null when the record cannot be decoded. */
  readonly id: string | null;
  readonly value: string;
}

interface Episode {
  readonly id: string;
  readonly kind: IncidentKind;
  readonly startedOnSeconds: number;
  readonly isResolved: boolean;
}

/** The number of earlier records that may be repeated or reopened. */
const REMEMBERED_MAX = 64;

/**
 * Draws the records of a load one by one. The sequence depends on the seed only, the starts of the
 * incidents also on the clock.
 */
export class LoadRecords {
  readonly #plan: LoadPlan;
  readonly #random: SeededRandom;
  readonly #now: () => number;
  readonly #records: LoadRecord[] = [];
  readonly #episodes: Episode[] = [];
  #poisoned = 0;

  constructor(plan: LoadPlan, random: SeededRandom, now: () => number = Date.now) {
    this.#plan = plan;
    this.#random = random;
    this.#now = now;
  }

  next(): LoadRecord {
    const { poisonShare, repeatShare, reopenShare } = this.#plan;
    const drawn = this.#random.next();
    if (drawn < poisonShare) return this.#poison();
    if (drawn < poisonShare + repeatShare && this.#records.length > 0) {
      return this.#random.pick(this.#records);
    }
    if (drawn < poisonShare + repeatShare + reopenShare && this.#episodes.length > 0) {
      return this.#turn();
    }
    return this.#fresh();
  }

  #poison(): LoadRecord {
    this.#poisoned += 1;
    return {
      id: null,
      value: `{"id": "poison-${this.#poisoned}", "status": `,
    };
  }

  #fresh(): LoadRecord {
    const { idempotentShare } = this.#plan;
    const id = Array.from({ length: 24 }, () => this.#random.below(16).toString(16)).join("");
    const isIdempotent = this.#random.next() < idempotentShare;
    const kind = isIdempotent ? this.#random.pick(["idempotent", "mixed"] as const) : "plain";
    return this.#record({
      id,
      kind,
      startedOnSeconds: Math.floor(this.#now() / 1000),
      isResolved: false,
    });
  }

  /**
   * Returns the next transition of a known incident: an active one is resolved, a resolved one
   * becomes active again with a later start.
   */
  #turn(): LoadRecord {
    const index = this.#random.below(this.#episodes.length);
    const [episode] = this.#episodes.splice(index, 1);
    if (episode === undefined) throw new RangeError(`there is no episode ${index}`);
    if (!episode.isResolved) return this.#record({ ...episode, isResolved: true });
    // In the same second it would belong to the episode before, whose start may lie in the future
    // by less than the allowed clock skew.
    const startedOnSeconds = Math.max(episode.startedOnSeconds + 1, Math.floor(this.#now() / 1000));
    return this.#record({ ...episode, startedOnSeconds, isResolved: false });
  }

  #record(episode: Episode): LoadRecord {
    const { id, kind, startedOnSeconds, isResolved } = episode;
    const transition = isResolved ? "resolved" : "active";
    const record = {
      id,
      value: JSON.stringify({
        id,
        status: transition,
        severity: "critical",
        started_on: startedOnSeconds,
        title: `CPU load on web-${id.slice(0, 4)} above 90 %`,
        environment: "production",
        tags: { kind: [kind], host: [`web-${id.slice(0, 4)}.example.com`] },
      }),
    };
    remember(this.#episodes, episode);
    remember(this.#records, record);
    return record;
  }
}

function remember<T>(known: T[], added: T): void {
  known.push(added);
  if (known.length > REMEMBERED_MAX) known.shift();
}
