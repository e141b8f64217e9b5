import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { onAbort } from "./abort-waiters.ts";

test("many wait for one signal with one listener, and are called once, in order", () => {
  const aborting = new AbortController();
  const called: number[] = [];
  for (let number = 0; number < 1000; number += 1) {
    const forget = onAbort(aborting.signal, () => called.push(number));
    if (number >= 3) forget();
  }
  expect(getEventListeners(aborting.signal, "abort")).toHaveLength(1);
  aborting.abort();
  expect(called).toEqual([0, 1, 2]);
});
