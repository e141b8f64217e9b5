import type { Checker, Finding } from "#e2e/checkers/checker.ts";
import { indexHistory } from "#e2e/checkers/analysis/build-index.ts";
import { generationName, partitionName } from "#e2e/checkers/analysis/indexed-history.ts";
import type {
  IndexedHistory,
  PartitionEvents,
  Indexed,
} from "#e2e/checkers/analysis/indexed-history.ts";
import { secondsAt } from "#e2e/checkers/analysis/wording.ts";
import type { Assigned, Committed } from "#e2e/checkers/history-event.ts";

/**
 * A member commits only what its generation assigned to it. A generation that was not recorded
 * leaves this unknown.
 */
export const committedOwned: Checker = {
  name: "committed-owned",
  title:
    "Nothing is committed for a partition that is not assigned to that member in that generation.",
  kind: "safety",
  needs: ["commits", "assignments"],
  check(history) {
    const indexed = indexHistory(history);
    const owners = new Map<Indexed<Assigned>, ReadonlyMap<string, string>>();
    const ownersOf = (assigned: Indexed<Assigned>): ReadonlyMap<string, string> => {
      const found = owners.get(assigned) ?? ownersIn(assigned);
      owners.set(assigned, found);
      return found;
    };
    return [...indexed.partitions.values()].flatMap((partition) =>
      partition.commits
        .filter((commit) => commit.accepted && !isByHand(commit))
        .flatMap((commit) => judge(commit, partition, { indexed, ownersOf })),
    );
  },
};

/** Returns true for a commit of an administrator, such as the kit, which belongs to no member. */
function isByHand({ memberId, generation, pod }: Committed): boolean {
  return memberId === "" && generation < 0 && pod === null;
}

/** Returns the member of each partition. */
function ownersIn({ members }: Assigned): ReadonlyMap<string, string> {
  return new Map(
    members.flatMap(({ memberId, partitions }) =>
      partitions.map(
        ({ topic, partition }) => [partitionName(topic, partition), memberId] as const,
      ),
    ),
  );
}

interface Owners {
  readonly indexed: IndexedHistory;
  readonly ownersOf: (assigned: Indexed<Assigned>) => ReadonlyMap<string, string>;
}

function judge(
  commit: Indexed<Committed>,
  { topic, partition }: PartitionEvents,
  { indexed, ownersOf }: Owners,
): Finding[] {
  const { group, generation, memberId, offset, pod } = commit;
  const name = partitionName(topic, partition);
  const who = pod ?? `member ${memberId}`;
  const what =
    `${who} committed ${offset} of ${name} at ${secondsAt(indexed, commit.atMs)} in generation ` +
    `${generation}`;
  const recorded = indexed.generations.get(generationName(group, generation)) ?? [];
  const events = [commit.index, ...recorded.map(({ index }) => index)];
  if (memberId === "" || generation < 0) {
    return [{ message: `${what} as no member of group ${group}`, events }];
  }
  if (recorded.length === 0) {
    throw new Error(
      `${what}, and generation ${generation} of group ${group} is not in the history`,
    );
  }
  const owners = recorded.map((assigned) => ownersOf(assigned).get(name));
  if (owners.includes(memberId)) return [];
  const owner = owners.find((candidate) => candidate !== undefined);
  const members = recorded.flatMap((assigned) => assigned.members);
  const ownerPod = members.find((member) => member.memberId === owner)?.pod ?? owner;
  const ownership =
    owner === undefined ? "belongs to nobody there" : `belongs to ${ownerPod} there`;
  return [{ message: `${what}, and the partition ${ownership}`, events }];
}
