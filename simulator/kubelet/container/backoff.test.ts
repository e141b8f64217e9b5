import { expect, test } from "vitest";
import { RestartBackoff } from "./backoff.ts";
import { ClusterClock } from "#simulator/kubelet/cluster/clock.ts";

const REAL = new ClusterClock().timing;

test("delays of restarts: 0, 10, 20, 40 ... 300 s and no more", () => {
  const backoff = new RestartBackoff(REAL);
  const delays = Array.from({ length: 8 }, () => backoff.delayMs(1000) / 1000);
  expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
});

test("after a run of more than 600 s the delays start over", () => {
  const backoff = new RestartBackoff(REAL);
  expect([1000, 1000, 600_000, 600_001, 1000].map((ranMs) => backoff.delayMs(ranMs))).toEqual([
    0, 10_000, 20_000, 0, 10_000,
  ]);
});
