import { expect, test } from "vitest";
import { createManualClock } from "#fixtures/ports/clock.ts";
import { createTroubles } from "./outages.ts";

const READY = { ready: true };

test("not ready from the first trouble until the last is over, with the reason of the oldest cause", () => {
  const troubles = createTroubles();
  expect(troubles.note("a", "a fails")).toBe(true);
  expect(troubles.note("b", "b fails")).toBe(true);
  expect(troubles.note("a", "a still fails")).toBe(false);
  expect(troubles.state).toEqual({ ready: false, reason: "a still fails" });
  expect(troubles.forget("a")).toBe(true);
  expect(troubles.state).toEqual({ ready: false, reason: "b fails" });
  expect(troubles.forget("b")).toBe(true);
  expect(troubles.forget("b")).toBe(false);
  expect(troubles.state).toEqual(READY);
});

test("several troubles of one cause are one state, over when the last of them is", () => {
  const troubles = createTroubles();
  const [one, other] = [Symbol("one"), Symbol("other")];
  troubles.note(one, "claim: EIO", "claim");
  troubles.note(other, "claim: ENOSPC", "claim");
  troubles.forget(one);
  expect(troubles.state).toEqual({ ready: false, reason: "claim: ENOSPC" });
  troubles.forget(other);
  expect(troubles.state).toEqual(READY);
});

test("a cause that comes and goes is not over before it stayed away, one that came once is over at once", async () => {
  const clock = createManualClock();
  const troubles = createTroubles({ clock, calmMs: 15_000 });
  troubles.note("probe", "no answer");
  troubles.forget("probe");
  expect(troubles.state).toEqual(READY);

  await clock.advance(14_000);
  troubles.note("probe", "no answer");
  troubles.forget("probe");
  await clock.advance(14_000);
  expect(troubles.state).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/^no answer \(not for 14 s, and it came back before/),
  });
  troubles.note("probe", "no answer");
  expect(troubles.state).toEqual({ ready: false, reason: "no answer" });
  troubles.forget("probe");
  await clock.advance(14_999);
  expect(troubles.state.ready).toBe(false);
  await clock.advance(1);
  expect(troubles.state).toEqual(READY);

  await clock.advance(15_000);
  troubles.note("probe", "no answer");
  troubles.forget("probe");
  expect(troubles.state).toEqual(READY);
});

test("another cause that recovers is not held for one that comes back", async () => {
  const clock = createManualClock();
  const troubles = createTroubles({ clock, calmMs: 15_000 });
  for (const cause of ["claim", "probe"]) {
    troubles.note(cause, cause);
    troubles.forget(cause);
  }
  expect(troubles.state).toEqual(READY);
});

test("with patience a cause counts once it has lasted, coming and going included", async () => {
  const clock = createManualClock();
  const troubles = createTroubles({ clock, patienceMs: 60_000, calmMs: 15_000 });
  troubles.note("pair", "the files do not match");
  await clock.advance(59_999);
  expect(troubles.state).toEqual(READY);
  troubles.forget("pair");
  expect(troubles.state).toEqual(READY);
  troubles.note("pair", "the files do not match");
  await clock.advance(1);
  expect(troubles.state).toEqual({ ready: false, reason: "the files do not match" });
  troubles.forget("pair");
  expect(troubles.state.ready).toBe(false);
  await clock.advance(15_000);
  expect(troubles.state).toEqual(READY);
});
