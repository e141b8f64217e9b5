import { guardAnswers } from "./fetching/answers.ts";
import { guardBrokerChoice, guardConnections } from "./connections.ts";
import { guardFetchAnswers } from "./fetching/fetch-answer.ts";
import { guardFetching } from "./fetching/fetching.ts";
import { internal } from "./internals.ts";
import { guardOutOfRange } from "./fetching/positions.ts";

/**
 * Patches kafkajs 2.2.4 itself, for what no option reaches. It is no longer maintained, and its version is pinned:
 * each patch says what it mends, and loading fails when its place has gone.
 */
export function guardKafkajs(): void {
  if (!guarded) {
    guarded = true;
    guardPendingRequests();
    guardConnections();
    guardBrokerChoice();
    guardAnswers();
    guardFetching();
    guardOutOfRange();
    guardFetchAnswers();
  }
}

let guarded = false;

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/**
 * Patches src/network/requestQueue: there, a timer is started even when nothing is pending, with the delay
 * `throttledUntil - now`, which is negative. Node makes that 1 ms and warns, and the timer starts itself again for
 * ever.
 */
function guardPendingRequests(): void {
  internal<RequestQueue>("network/requestQueue")(
    "scheduleCheckPendingRequests",
    () => scheduleOnlyIfPending,
  );
}

const PENDING_CHECK_MS = 10;

function scheduleOnlyIfPending(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) {
    return;
  }
  const delayMs = Math.max(this.throttledUntil - Date.now(), PENDING_CHECK_MS);
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, delayMs);
}
