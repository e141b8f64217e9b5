import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createOutages } from "./outages.ts";

const READY = { ready: true };

test("not ready from the first outage until the last is over, with the reason of the oldest cause", () => {
  const outages = createOutages();
  expect(outages.note("a", "a fails")).toBe(true);
  expect(outages.note("b", "b fails")).toBe(true);
  expect(outages.note("a", "a still fails")).toBe(false);
  expect(outages.state).toEqual({ ready: false, reason: "a still fails" });
  expect(outages.forget("a")).toBe(true);
  expect(outages.state).toEqual({ ready: false, reason: "b fails" });
  expect(outages.forget("b")).toBe(true);
  expect(outages.forget("b")).toBe(false);
  expect(outages.state).toEqual(READY);
});

test("several outages of one cause are one state, over when the last of them is", () => {
  const outages = createOutages();
  const [one, other] = [Symbol("one"), Symbol("other")];
  outages.note(one, "claim: EIO", "claim");
  outages.note(other, "claim: ENOSPC", "claim");
  outages.forget(one);
  expect(outages.state).toEqual({ ready: false, reason: "claim: ENOSPC" });
  outages.forget(other);
  expect(outages.state).toEqual(READY);
});

test("a cause that comes and goes is not over before it stayed away, one that came once is over at once", async () => {
  const clock = createManualClock();
  const outages = createOutages({ clock, quietMs: 15_000 });
  outages.note("probe", "no answer");
  outages.forget("probe");
  expect(outages.state).toEqual(READY);

  await clock.advance(14_000);
  outages.note("probe", "no answer");
  outages.forget("probe");
  await clock.advance(14_000);
  expect(outages.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/^no answer \(not for 14 s, and it came back before/),
  });
  outages.note("probe", "no answer");
  expect(outages.state).toEqual({ ready: false, reason: "no answer" });
  outages.forget("probe");
  await clock.advance(14_999);
  expect(outages.state.ready).toBe(false);
  await clock.advance(1);
  expect(outages.state).toEqual(READY);

  await clock.advance(15_000);
  outages.note("probe", "no answer");
  outages.forget("probe");
  expect(outages.state).toEqual(READY);
});

test("another cause that recovers is not held for one that comes back", async () => {
  const clock = createManualClock();
  const outages = createOutages({ clock, quietMs: 15_000 });
  for (const cause of ["claim", "probe"]) {
    outages.note(cause, cause);
    outages.forget(cause);
  }
  expect(outages.state).toEqual(READY);
});

test("with patience a cause counts once it has lasted, coming and going included", async () => {
  const clock = createManualClock();
  const outages = createOutages({ clock, patienceMs: 60_000, quietMs: 15_000 });
  outages.note("pair", "the files do not match");
  await clock.advance(59_999);
  expect(outages.state).toEqual(READY);
  outages.forget("pair");
  expect(outages.state).toEqual(READY);
  outages.note("pair", "the files do not match");
  await clock.advance(1);
  expect(outages.state).toEqual({ ready: false, reason: "the files do not match" });
  outages.forget("pair");
  expect(outages.state.ready).toBe(false);
  await clock.advance(15_000);
  expect(outages.state).toEqual(READY);
});
