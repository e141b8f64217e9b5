import type { Checker } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";

/** A partition into which nothing was published needs no commit. */
export const committedToEnd: Checker = {
  name: "committed-to-end",
  title: "When faults stop, every partition is committed to its end.",
  kind: "liveness",
  needs: ["published", "commits"],
  check(history) {
    const indexed = indexHistory(history);
    return [...indexed.partitions.values()].flatMap(({ topic, partition, records, commits }) => {
      const last = records.at(-1);
      if (last === undefined) return [];
      const end = Number(last.offset) + 1;
      const commit = commits.findLast(({ accepted }) => accepted);
      if (commit !== undefined && Number(commit.offset) >= end) return [];
      const what =
        commit === undefined
          ? "was never committed"
          : `is committed to ${commit.offset} (${commit.pod ?? commit.memberId} at ${secondsAt(indexed, commit.atMs)})`;
      const message = `${topic}/${partition} ${what}, short of its end ${end}`;
      return [
        { message, events: commit === undefined ? [last.index] : [commit.index, last.index] },
      ];
    });
  },
};
