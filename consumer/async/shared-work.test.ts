import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createSharedWork } from "./shared-work.ts";

const NEVER = new AbortController().signal;

/** Work that ends when the test says so. */
function held() {
  const end = Promise.withResolvers<void>();
  const state = { begun: 0 };
  const work = (): Promise<void> => {
    state.begun += 1;
    return end.promise;
  };
  return { ...end, state, work };
}

test("work of one name is done once for all who ask for it meanwhile", async () => {
  const shared = createSharedWork();
  const [one, other] = [held(), held()];
  const asked = [shared.once("a", NEVER, one.work), shared.once("a", NEVER, other.work)];
  await nextTurn();
  one.resolve();
  await Promise.all(asked);
  expect([one.state.begun, other.state.begun]).toEqual([1, 0]);
  other.resolve();
  await shared.once("a", NEVER, other.work);
  expect(other.state.begun).toBe(1);
});

test("work of another name is its own", async () => {
  const shared = createSharedWork();
  const [one, other] = [held(), held()];
  const waiting = shared.once("a", NEVER, one.work);
  other.resolve();
  await shared.once("b", NEVER, other.work);
  expect([one.state.begun, other.state.begun]).toEqual([1, 1]);
  one.resolve();
  await waiting;
});

test("when it fails, who did it hears so, and one of the others does it", async () => {
  const shared = createSharedWork();
  const [one, other, third] = [held(), held(), held()];
  const first = shared.once("a", NEVER, one.work);
  const rest = [shared.once("a", NEVER, other.work), shared.once("a", NEVER, third.work)];
  one.reject(new Error("lost"));
  await expect(first).rejects.toThrow("lost");
  await nextTurn();
  expect([other.state.begun, third.state.begun]).toEqual([1, 0]);
  other.resolve();
  await Promise.all(rest);
  expect(third.state.begun).toBe(0);
});

test("who gives up waits no longer, and the work goes on", async () => {
  const shared = createSharedWork();
  const [one, other] = [held(), held()];
  const giveUp = new AbortController();
  const first = shared.once("a", NEVER, one.work);
  const second = shared.once("a", giveUp.signal, other.work);
  giveUp.abort(new Error("revoked"));
  await expect(second).rejects.toThrow("revoked");
  one.resolve();
  await first;
  expect(other.state.begun).toBe(0);
});
