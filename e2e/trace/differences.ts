import { ON_ITS_WAY } from "./pod-life.ts";
import type { PodLife } from "./pod-life.ts";
import type { Trace } from "./trace-file.ts";

/** One word of the life of a pod that only one of two targets saw there. */
export interface Difference {
  readonly scenario: string;
  /** The target that saw it. */
  readonly only: string;
  /** `a whole pod` when the other one has no pod for this one. */
  readonly word: string;
  /** Where it is, for people. */
  readonly place: string;
}

/** What two runs of one scenario do not share. Empty when they are equal as far as both targets can see. */
export function differences(left: Trace, right: Trace): Difference[] {
  const unseen = [...left.unseen, ...right.unseen];
  const [ours, theirs] = [left, right].map((trace) =>
    trace.deployments.map((lives) =>
      lives.map((life) => life.filter((word) => !isOf(word, unseen))),
    ),
  );
  const deployments = Array.from({
    length: Math.max(left.deployments.length, right.deployments.length),
  });
  return deployments.flatMap((_, index) =>
    ofDeployment(ours?.[index] ?? [], theirs?.[index] ?? []).map(({ side, word, pair }) => {
      const [one, other] = pair.map((life) => life?.join(" > ") ?? "no such pod");
      return {
        scenario: left.scenario,
        only: (side === "left" ? left : right).target,
        word,
        place: `deployment ${index + 1}\n  ${left.target}: ${one}\n  ${right.target}: ${other}`,
      };
    }),
  );
}

function isOf(word: string, kinds: readonly string[]): boolean {
  return kinds.some((kind) => word === kind || word.startsWith(`${kind} `));
}

type Pair = readonly [left: PodLife | undefined, right: PodLife | undefined];

interface SideDifference {
  readonly side: "left" | "right";
  readonly word: string;
  readonly pair: Pair;
}

function ofDeployment(left: readonly PodLife[], right: readonly PodLife[]): SideDifference[] {
  return pairs(left, right).flatMap((pair) => {
    const [one, other] = pair;
    if (one === undefined || other === undefined) {
      return [{ side: other === undefined ? "left" : "right", word: "a whole pod", pair } as const];
    }
    return onlyIn(one, other).map(({ side, word }) => ({ side, word, pair }));
  });
}

/** Each life with the most similar one of the other side, the best pairs first, and of those the ones of which most was seen. */
function pairs(left: readonly PodLife[], right: readonly PodLife[]): Pair[] {
  const candidates = left
    .flatMap((one, i) =>
      right.map((other, j) => ({
        i,
        j,
        apart: onlyIn(one, other).length,
        seen: Math.min(one.length, other.length),
      })),
    )
    .toSorted((a, b) => a.apart - b.apart || b.seen - a.seen || a.i - b.i || a.j - b.j);
  const paired = new Map<number, number>();
  const taken = new Set<number>();
  for (const { i, j } of candidates) {
    if (paired.has(i) || taken.has(j)) continue;
    paired.set(i, j);
    taken.add(j);
  }
  return [
    ...left.map((life, i): Pair => [life, right[paired.get(i) ?? -1]]),
    ...right.filter((_, j) => !taken.has(j)).map((life): Pair => [undefined, life]),
  ];
}

/** What stays of each side without their longest common subsequence, as far as both lives were seen. */
function onlyIn(
  ...lives: [left: PodLife, right: PodLife]
): Pick<SideDifference, "side" | "word">[] {
  const [left, right] = asFarAsBoth(lives);
  const common = commonLengths(left, right);
  const found: Pick<SideDifference, "side" | "word">[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [one, other] = [left[i], right[j]];
    if (one !== undefined && one === other) {
      [i, j] = [i + 1, j + 1];
    } else if (one !== undefined && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0)) {
      found.push({ side: "left", word: one });
      i += 1;
    } else if (other !== undefined) {
      found.push({ side: "right", word: other });
      j += 1;
    }
  }
  return found;
}

/** A life that was only seen on its way is no longer than that. */
function asFarAsBoth([left, right]: readonly [PodLife, PodLife]): [PodLife, PodLife] {
  const seen = ([left, right] as const)
    .filter((life) => life.at(-1) === ON_ITS_WAY)
    .map((life) => life.length - 1);
  const words = Math.min(...seen, Infinity);
  return [left.slice(0, words), right.slice(0, words)];
}

/** Of what follows the first i words of the left and the first j of the right. */
function commonLengths(left: PodLife, right: PodLife): number[][] {
  const lengths = Array.from({ length: left.length + 1 }, () =>
    Array.from({ length: right.length + 1 }, () => 0),
  );
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      const [row = [], next = []] = [lengths[i], lengths[i + 1]];
      row[j] =
        left[i] === right[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
