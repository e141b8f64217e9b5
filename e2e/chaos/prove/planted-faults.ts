import type { Invariant } from "#simulator/model/verification/invariants.ts";

/** A piece of the consumer's text and its replacement. The text must be there exactly once. */
export interface Edit {
  /** The path relative to the repository. */
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
}

/** A fault that is planted into a copy of the consumer, to prove that it is found. */
export type PlantedFault = {
  readonly name: string;
  /** One sentence that says what the copy does. */
  readonly title: string;
  readonly edits: readonly Edit[];
} & (
  | {
      readonly tier: "local";
      /** The names of checkers, one of which must break. */
      readonly checkers: readonly string[];
    }
  | {
      readonly tier: "simulate";
      /** The invariants of the model, one of which must be violated. */
      readonly invariants: readonly Invariant[];
    }
);

const ATTEMPT = "consumer/action/attempt.ts";
const EXECUTE = "consumer/action/execute.ts";

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: "claim-after-send",
    title: "An action is sent first and claimed afterwards.",
    tier: "local",
    checkers: ["sent-by-claimant", "execution-claimed", "one-execution-per-action"],
    edits: [
      {
        file: ATTEMPT,
        text: "const OUTCOME_POLL_MS = 250;",
        replacement: "const OUTCOME_POLL_MS = 250;\nconst sentEarly = new Map();",
      },
      {
        file: ATTEMPT,
        text: "  let claimed = await ",
        replacement:
          '  if (!("rejection" in planned)) sentEarly.set(claim.nonce, await send(run, planned, claim, ' +
          "planned.deadlineMs));\n  let claimed = await ",
      },
      {
        file: ATTEMPT,
        text: "await send(run, planned, claim, remainingMs)",
        replacement: "sentEarly.get(claim.nonce)",
      },
    ],
  },
  {
    name: "nonce-ignored",
    title: "A claim of another run is mistaken for one's own.",
    tier: "local",
    checkers: ["one-execution-per-action", "execution-claimed", "sent-by-claimant"],
    edits: [
      {
        file: ATTEMPT,
        text: "  if (claim) return waitForOutcome(run, claim);\n",
        replacement: "",
      },
      {
        file: ATTEMPT,
        text: "  if (present.nonce !== claim.nonce) return waitForOutcome(run, present);\n",
        replacement: "",
      },
    ],
  },
  {
    name: "commit-early",
    title: "The whole batch is committed as soon as its first record is terminal.",
    tier: "local",
    checkers: ["committed-terminal"],
    edits: [
      {
        file: "consumer/intake/offsets.ts",
        text: "return last === undefined ? undefined : last + 1n;",
        replacement: "return last === undefined ? undefined : nextOffset;",
      },
    ],
  },
  {
    name: "in-doubt-repeated",
    title: "An attempt in doubt is repeated although its action is not declared idempotent.",
    tier: "local",
    checkers: ["attempts-in-turn", "one-execution-per-action"],
    edits: [
      {
        file: EXECUTE,
        text: '(outcome.outcome === "in-doubt" && idempotent)',
        replacement: 'outcome.outcome === "in-doubt"',
      },
    ],
  },
  {
    name: "drain-forgotten",
    title: "A stop does not wait for the actions that are under way.",
    tier: "local",
    checkers: ["clean-stop"],
    edits: [
      {
        file: "consumer/process/run-process.ts",
        text: "const inTime = await lifecycle.drainDeadline.isMetBy(drained);",
        replacement: "const inTime = drained !== undefined;",
      },
      {
        file: "consumer/process/run-process.ts",
        text: "const running = lanes?.running ?? 0;",
        replacement: "const running = 0;",
      },
    ],
  },
  {
    name: "dead-letter-not-awaited",
    title: "A record counts as terminal before its dead letter is acknowledged.",
    tier: "local",
    checkers: ["committed-terminal", "dead-letters-delivered"],
    edits: [
      {
        file: EXECUTE,
        text: "    await publishDeadLetter(letter, run.ended, { ...run.dependencies, topic, retry });",
        replacement:
          "    void publishDeadLetter(letter, run.ended, { ...run.dependencies, topic, retry }).catch(() => " +
          "undefined);",
      },
    ],
  },
  {
    name: "epoch-unchecked",
    title: "An action is sent for a partition that was revoked after its claim.",
    tier: "simulate",
    invariants: ["a process sends nothing for an assignment that it has lost"],
    edits: [
      {
        file: ATTEMPT,
        text: '  if (run.revoked.aborted) {\n    const detail = "the partition was revoked before it was sent";',
        replacement:
          '  if (run.revoked.reason === 0) {\n    const detail = "the partition was revoked before it was sent";',
      },
    ],
  },
  {
    name: "directory-not-synced",
    title: "The name of a claim is not made durable before the action is sent.",
    tier: "simulate",
    invariants: ["every execution was durably claimed with a nonce of its own run"],
    edits: [
      {
        file: ATTEMPT,
        text: "    await history.claims.sync(key);\n    // When the name was taken",
        replacement: "    // When the name was taken",
      },
    ],
  },
  {
    name: "stale-compactor",
    title: "A compactor whose generation was taken by another pod goes on as if it were its own.",
    tier: "simulate",
    invariants: [
      "a generation keeps every entry of the ones before it",
      "the journal of a writer that may go on is never deleted",
      "the index returns only final outcomes",
      "recovery is idempotent and finds every recorded outcome",
      "the contract file shows the outcome of every key",
      "every matched event becomes terminal when faults stop",
    ],
    edits: [
      {
        file: "consumer/history/maintenance/compaction.ts",
        text: 'if ((await generations.link(number, parts)) === "taken") continue;',
        replacement: "await generations.link(number, parts);",
      },
    ],
  },
  {
    name: "horizon-ignored",
    title: "An action whose claims were swept may begin again.",
    tier: "simulate",
    invariants: [
      "a key has at most one effect, unless it is declared idempotent",
      "an attempt is executed at most once",
      "another attempt follows only what was certainly not applied, or is declared idempotent",
    ],
    edits: [
      {
        file: ATTEMPT,
        text: 'return run.planned.incident.startedOnMs <= horizonMs ? "swept" : "young";',
        replacement: 'return horizonMs === 0.5 ? "swept" : "young";',
      },
    ],
  },
  {
    name: "pause-unchecked",
    title: "A claim is begun without a look at the order to pause.",
    tier: "simulate",
    invariants: ["no action begins later than the delay after a pause"],
    edits: [
      {
        file: ATTEMPT,
        text: "    if (await waitWhilePaused(run)) continue;\n",
        replacement: "",
      },
      {
        file: ATTEMPT,
        text: "    if ((await readPause(run)).paused) continue;\n",
        replacement: "",
      },
    ],
  },
  {
    name: "age-not-judged-again",
    title: "The age of an event is not checked again after its claim is linked.",
    tier: "simulate",
    invariants: ["nothing is sent for an event past its age"],
    edits: [
      {
        file: ATTEMPT,
        text: '  if (standing === "too-old") {\n    const detail = "too old after its claim";',
        replacement:
          '  if (standing === undefined) {\n    const detail = "too old after its claim";',
      },
    ],
  },
];
