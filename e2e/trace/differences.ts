import { ON_ITS_WAY } from "./pod-life.ts";
import type { PodLife } from "./pod-life.ts";
import type { Trace } from "./trace-file.ts";

/** One word in the life of a pod that only one of two targets saw there. */
export interface Difference {
  readonly scenario: string;
  /** The target that saw the word. */
  readonly only: string;
  /** The word, or `a whole pod` when the other target has no pod that corresponds to this one. */
  readonly word: string;
  /** The place of the difference, in words for a user. */
  readonly place: string;
}

/**
 * Returns the differences between two runs of one scenario. Empty when the runs are equal as far as both targets can
 * see.
 */
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

/**
 * Pairs each life with the most similar life of the other side. The most similar pairs are formed first, and among
 * equals those of which most was seen.
 */
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

/** Returns the words of each side that are not in the longest common subsequence, as far as both lives were seen. */
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

/** Cuts both lives to the length of the shorter life that was not seen to its end. */
function asFarAsBoth([left, right]: readonly [PodLife, PodLife]): [PodLife, PodLife] {
  const seen = ([left, right] as const)
    .filter((life) => life.at(-1) === ON_ITS_WAY)
    .map((life) => life.length - 1);
  const words = Math.min(...seen, Infinity);
  return [left.slice(0, words), right.slice(0, words)];
}

/**
 * Returns a table with the length of the longest common subsequence of what follows the first i words of the left and
 * the first j words of the right.
 */
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
