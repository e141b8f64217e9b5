/**
 * Something that waits at a barrier. `proceed` lets it go on, and `drop` ends it without an answer.
 */
interface Waiting {
  proceed(): void;
  drop(): void;
}

export interface Barrier<Arrival> {
  /** The number of arrivals, whether they still wait or not. */
  readonly hits: number;
  /** Resolves at the first arrival; rejects when the barrier is released without any. */
  readonly arrived: Promise<Arrival>;
  readonly open: boolean;
  /** Puts one arrival behind the barrier. */
  wait(arrival: Arrival, waiting: Waiting): void;
  /** Resolves when `count` have arrived. */
  arrivals(count: number): Promise<void>;
  /** Lets everything that waits go on, and everything that comes later pass. */
  release(): void;
  /** Ends everything that waits, and lets everything that comes later pass. */
  drop(): void;
}

/** Creates a barrier that holds at most `limit` arrivals; later ones pass. */
export function createBarrier<Arrival>(limit = Number.POSITIVE_INFINITY): Barrier<Arrival> {
  const first = Promise.withResolvers<Arrival>();
  // This rejection may go unobserved: a barrier may be released before anything came.
  first.promise.catch(() => {});
  const waiting: Waiting[] = [];
  const counters: { readonly count: number; readonly resolve: () => void }[] = [];
  let hits = 0;
  let released = false;

  function end(each: (one: Waiting) => void): void {
    released = true;
    first.reject(new Error("the barrier was released before anything arrived"));
    for (const one of waiting.splice(0)) each(one);
  }

  return {
    get hits() {
      return hits;
    },
    get open() {
      return released || hits >= limit;
    },
    arrived: first.promise,
    wait(arrival, one) {
      hits += 1;
      waiting.push(one);
      first.resolve(arrival);
      for (const { count, resolve } of counters) if (hits >= count) resolve();
    },
    arrivals: (count) =>
      new Promise((resolve) => {
        if (hits >= count) resolve();
        else counters.push({ count, resolve });
      }),
    release: () => end((one) => one.proceed()),
    drop: () => end((one) => one.drop()),
  };
}
