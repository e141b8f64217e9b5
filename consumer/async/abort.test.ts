import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { aborted, onAbort } from "./abort.ts";

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

test("the promise of a signal resolves when it aborts, or at once when it has", async () => {
  const aborting = new AbortController();
  const waiting = aborted(aborting.signal);
  aborting.abort();
  await expect(waiting).resolves.toBeUndefined();
  await expect(aborted(aborting.signal)).resolves.toBeUndefined();
});
