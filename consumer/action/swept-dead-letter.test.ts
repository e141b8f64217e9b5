import { expect, test } from "vitest";
import { deadLetterRecord } from "./dead-letter.ts";
import { sweptDeadLetter } from "./swept-dead-letter.ts";

const CLAIM = {
  key: "ab".repeat(32),
  attempt: 2,
  nonce: "n",
  pod: "dead",
  rule: "restart-web",
  action: "open-ticket",
  incidentId: "incident-1",
  transition: "active",
  startedOnMs: 1,
  topic: "incidents",
  partition: 3,
  offset: "9007199254740993",
  claimedAtMs: 2,
};
const END = {
  key: CLAIM.key,
  attempt: 2,
  nonce: "m",
  pod: "sweeper",
  outcome: "in-doubt",
  reason: "orphaned",
  detail: "no outcome",
  atMs: 3,
} as const;

test("it says where the record's bytes are, since the claim does not hold them", () => {
  const record = deadLetterRecord("dead", sweptDeadLetter(CLAIM, END));
  expect(record.key).toBe("incident-1");
  expect(record.value).toHaveLength(0);
  expect(record.headers).toEqual({
    "dead-letter-reason": "in-doubt",
    "dead-letter-detail": "no outcome",
    "dead-letter-value-omitted": expect.stringContaining("read the record at the source position"),
    "source-topic": "incidents",
    "source-partition": "3",
    "source-offset": "9007199254740993",
    "action-key": CLAIM.key,
    "action-attempt": "2",
    rule: "restart-web",
    action: "open-ticket",
  });
});

test.each([
  [{ ...END, outcome: "rejected", reason: "too-old" } as const, "too-old"],
  [{ ...END, outcome: "rejected", reason: "manual" } as const, "manual"],
  [{ ...END, outcome: "failed-not-applied", reason: "sent" } as const, "failed-not-applied"],
])("its reason is the one that its own record would have brought", (end, reason) => {
  expect(sweptDeadLetter(CLAIM, end).reason).toBe(reason);
});
