import { expect, test } from "vitest";
import { countDeadActions } from "./count-dead-actions.ts";

test("a dead letter that was delivered twice counts once, and one without an action does not count", () => {
  const letters = [
    { headers: { "action-key": "a", "action-attempt": "1" } },
    { headers: { "action-key": "b", "action-attempt": "1" } },
    { headers: { "action-key": "a", "action-attempt": "1" } },
    { headers: { "dead-letter-reason": "undecodable" } },
  ];
  expect(countDeadActions(letters)).toBe(2);
  expect(countDeadActions([])).toBe(0);
});
