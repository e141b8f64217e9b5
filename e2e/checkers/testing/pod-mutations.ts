import { claimFileOf, outcomeFileOf } from "#e2e/checkers/analysis/indexed-history.ts";
import { containerLivesOf } from "#e2e/checkers/analysis/container-lives.ts";
import { attemptsOf, pick, replaced, without } from "./mutation.ts";
import type { Kind, MutableHistory, Mutation } from "./mutation.ts";

/** This is more than the clocks of two places may differ by. */
const EARLIER_MS = 100;

/** Mutations of what happened to the pods. */
export const POD_MUTATIONS: readonly Mutation[] = [
  {
    what: "a process that ends with code 0 leaves an attempt behind",
    invariant: "clean-stop",
    change: (history, choose) => {
      const exit = pick(history, choose, "pod", (event) => leavesAttempt(history, event));
      return exit && replaced(history, exit, { exitCode: 0 });
    },
  },
  {
    what: "a pod claims and sends while its volume takes no file",
    invariant: "storage-failure",
    change: (history, choose) => {
      const sending = pick(history, choose, "sending");
      const claim = history.events.find(
        (event) => event.kind === "claimed" && event.nonce === sending?.nonce,
      );
      if (sending === undefined || claim === undefined) return undefined;
      const fault = { kind: "fault", step: 1, fault: "volume.read-only", detail: "" } as const;
      const { pod } = sending;
      const atMs = claim.atMs - EARLIER_MS;
      return [...history.events, { ...fault, pod, what: "injected", atMs }];
    },
  },
  {
    what: "the log of a pod does not say that a claim is durable",
    invariant: "sent-by-claimant",
    // A process that ended with code 0 has written everything out, so that its log must be
    // incomplete.
    says: ["broken", "unknown"],
    change: (history, choose) => {
      const sending = pick(history, choose, "sending");
      return (
        sending &&
        without(
          history,
          (event) =>
            event.kind === "claimed" && event.from === "log" && event.nonce === sending.nonce,
        )
      );
    },
  },
];

/**
 * Returns true for a killed process whose claim another pod called in doubt afterwards, and which
 * nothing else kept from writing.
 */
function leavesAttempt(history: MutableHistory, event: Kind<"pod">): boolean {
  const { indexed } = history;
  if (event.exitCode !== 137 || indexed.faults.some(({ pod }) => pod === event.pod)) return false;
  const run = containerLivesOf(indexed, event.pod).find(({ endMs }) => endMs === event.atMs);
  return attemptsOf(history).some(({ attempt }) => {
    const claim = claimFileOf(attempt);
    const outcome = outcomeFileOf(attempt);
    if (run === undefined || claim?.pod !== event.pod || outcome === undefined) return false;
    const isOfRun = claim.atMs > run.startMs && claim.atMs <= run.endMs;
    return isOfRun && outcome.nonce !== claim.nonce && outcome.atMs > run.endMs;
  });
}
