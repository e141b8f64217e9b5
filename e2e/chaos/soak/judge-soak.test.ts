import { expect, test } from "vitest";
import { judgeSoak } from "./judge-soak.ts";
import type { SoakFinding } from "./judge-soak.ts";
import type { Measures, SoakSample } from "./sample.ts";
import { describeFinding, soakLines } from "./soak-lines.ts";

const MIB = 2 ** 20;
const MINUTE_MS = 60_000;

interface Life {
  readonly kind: SoakSample["kind"];
  readonly subject: string;
  readonly minutes: number;
  readonly fromMinute?: number;
  readonly measures: (minute: number) => Measures;
  readonly allowed?: Measures;
}

/** Returns the samples of each life, one every five seconds. */
function lives(...all: readonly Life[]): SoakSample[] {
  return all
    .flatMap(({ kind, subject, minutes, fromMinute = 0, measures, allowed }) =>
      Array.from({ length: minutes * 12 }, (_, index) => ({
        atMs: (fromMinute + index / 12) * MINUTE_MS,
        kind,
        subject,
        measures: measures(index / 12),
        ...(allowed !== undefined && { allowed }),
      })),
    )
    .toSorted((left, right) => left.atMs - right.atMs);
}

function find(
  samples: readonly SoakSample[],
  kind: SoakFinding["kind"],
  measure: SoakFinding["measure"],
): SoakFinding {
  const found = judgeSoak(samples).find((one) => one.kind === kind && one.measure === measure);
  if (found === undefined) throw new Error(`there is no finding for ${kind} ${measure}`);
  return found;
}

test("a runner that keeps its memory holds, and one that leaks 10 MiB in a minute is broken", () => {
  const runner = (leak: number): Life => ({
    kind: "runner",
    subject: "runner",
    minutes: 60,
    measures: (minute) => ({ residentBytes: (200 + leak * minute) * MIB }),
  });
  expect(find(lives(runner(0)), "runner", "residentBytes").status).toBe("holds");
  expect(find(lives(runner(10)), "runner", "residentBytes")).toMatchObject({
    status: "broken",
    perHour: expect.closeTo(600 * MIB, -7),
    reason: "runner grows by more than its bound",
  });
});

test("a pod that was started again is another process: what it had before does not count", () => {
  const pods = Array.from({ length: 6 }, (_, index) => ({
    kind: "pod" as const,
    subject: `pod, started ${index}`,
    minutes: 20,
    fromMinute: 20 * index,
    // Each has more than the one before, and none grows.
    measures: () => ({ openFiles: 20 + 50 * index }),
  }));
  expect(find(lives(...pods), "pod", "openFiles")).toMatchObject({
    status: "holds",
    subjects: 6,
    judged: 6,
    perHour: 0,
    peak: 270,
  });
});

test("one process that leaks files among many that do not is found and named", () => {
  const pods = Array.from({ length: 6 }, (_, index) => ({
    kind: "pod" as const,
    subject: `pod-${index}`,
    minutes: 30,
    measures: (minute: number) => ({ openFiles: 20 + (index === 3 ? minute : 0) }),
  }));
  expect(find(lives(...pods), "pod", "openFiles")).toMatchObject({
    status: "broken",
    subject: "pod-3",
    first: 20,
  });
});

test("processes that lived too shortly are not judged, and the reason is given", () => {
  const samples = lives({
    kind: "pod",
    subject: "short",
    minutes: 6,
    measures: (minute) => ({ openFiles: 20 + minute * 100 }),
  });
  const finding = find(samples, "pod", "openFiles");
  expect(finding).toMatchObject({
    status: "not-judged",
    perHour: null,
    reason: "12 samples in 55 s after the warm-up of 300 s, 60 in 600 s wanted",
  });
  expect(describeFinding(finding)).toBe(
    "20 to 611.7, peak 611.7 (at most 10 an hour; 0 of 1 processes judged), not judged: 12 samples in 55 s after " +
      "the warm-up of 300 s, 60 in 600 s wanted",
  );
  // One line covers all measures of a short run.
  expect(soakLines([finding, finding])).toEqual([
    "--   growth            not judged: a process must live for 15 minutes",
  ]);
});

test("what could not be measured at all is said too", () => {
  const finding = find([], "volume", "claims");
  expect(finding.status).toBe("not-judged");
  expect(soakLines([finding])).toEqual([
    "--   volume claims     not judged: it could not be measured",
  ]);
});

const volume = (claims: number): Life => ({
  kind: "volume",
  subject: `volume with ${claims}`,
  minutes: 1,
  measures: () => ({ claims }),
  allowed: { claims: 40 },
});

test("a volume may hold as many files as what was done allows, at every time", () => {
  expect(find(lives(volume(40), volume(3)), "volume", "claims")).toMatchObject({
    status: "holds",
    subject: "volume with 40",
    bound: { of: "amount", max: 40 },
  });
  const broken = find(lives(volume(3), volume(41)), "volume", "claims");
  expect(broken.status).toBe("broken");
  expect(soakLines([broken])).toEqual([
    "FAIL volume claims     41 to 41, peak 41 (at most 40; of 2 volumes): volume with 41 holds 41 claims when at " +
      "most 40 may be there",
  ]);
});
