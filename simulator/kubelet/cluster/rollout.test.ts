import { assert, infiniteStream, integer, property, record } from "fast-check";
import { expect, test } from "vitest";
import { planRollout, resolveBounds } from "./rollout.ts";

const DEFAULTS = { maxSurge: "25%", maxUnavailable: "25%" };

test.each([
  [1, { surge: 1, unavailable: 0 }],
  [2, { surge: 1, unavailable: 0 }],
  [4, { surge: 1, unavailable: 1 }],
  [5, { surge: 2, unavailable: 1 }],
])("for %i replicas, surge rounds up and unavailable rounds down: %o", (replicas, bounds) => {
  expect(resolveBounds({ replicas, ...DEFAULTS })).toEqual(bounds);
});

test("with both bounds zero, one pod may be unavailable, or the rollout would never advance", () => {
  expect(resolveBounds({ replicas: 3, maxSurge: 0, maxUnavailable: "10%" })).toEqual({
    surge: 0,
    unavailable: 1,
  });
});

test("unavailable pods of the old set are removed first, whatever the new set does", () => {
  const plan = planRollout({
    replicas: 2,
    ...DEFAULTS,
    fresh: { name: "new", desired: 1, available: 0 },
    old: [{ name: "old", desired: 2, available: 1 }],
  });
  expect([...plan]).toEqual([
    ["new", 1],
    ["old", 2],
  ]);
  const withRoom = planRollout({
    replicas: 4,
    ...DEFAULTS,
    fresh: { name: "new", desired: 1, available: 1 },
    old: [{ name: "old", desired: 4, available: 2 }],
  });
  expect(withRoom.get("old")).toBe(2);
});

test("a rollout ends with the new set only and stays within its bounds, in whatever order pods become ready", () => {
  const input = record({
    replicas: integer({ min: 1, max: 12 }),
    maxSurge: integer({ min: 0, max: 4 }),
    maxUnavailable: integer({ min: 0, max: 4 }),
    readiness: infiniteStream(integer({ min: 1, max: 3 })),
  });
  assert(
    property(input, ({ readiness, ...bounds }) => {
      const { surge, unavailable } = resolveBounds(bounds);
      let fresh = { name: "new", desired: 0, available: 0 };
      let old = { name: "old", desired: bounds.replicas, available: bounds.replicas };
      for (
        let step = 0;
        step < 100 && (old.desired > 0 || fresh.available < bounds.replicas);
        step += 1
      ) {
        const plan = planRollout({ ...bounds, fresh, old: [old] });
        const desired = plan.get("new") ?? 0;
        const left = plan.get("old") ?? 0;
        expect(desired + left).toBeLessThanOrEqual(bounds.replicas + surge);
        const available = fresh.available + Math.min(old.available, left);
        expect(available).toBeGreaterThanOrEqual(bounds.replicas - unavailable);
        const [ready] = readiness.take(1);
        fresh = {
          name: "new",
          desired,
          available: Math.min(desired, fresh.available + (ready ?? 1)),
        };
        old = { name: "old", desired: left, available: Math.min(old.available, left) };
      }
      expect({ fresh: fresh.available, old: old.desired }).toEqual({
        fresh: bounds.replicas,
        old: 0,
      });
    }),
  );
});
