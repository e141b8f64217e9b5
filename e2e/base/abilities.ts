/** Abilities that only some targets and brokers have, each with the words that describe it to a user. */
const ABILITIES = {
  "container-access":
    "a way to signal and freeze a container from outside, and to see its signals and hooks",
  "cluster-nodes": "several nodes, which can be drained and paused",
  "memory-limits": "memory limits that a kernel enforces",
  "api-server": "an API server, such as kubectl uses",
  "fault-rules": "fault rules for the requests and answers of clients",
  "forced-rebalance": "a way to force a rebalance of a group",
  "broker-nodes":
    "several nodes of the broker, which can be killed and can take over the leadership",
  "broker-connections": "a view of the connections of its clients, and a way to cut them",
  "broker-requests": "a view of the requests of its clients, by name",
  "broker-history": "a history of what was committed, fetched and assigned",
  "broker-users": "users whose passwords can be changed",
} as const;

export type Ability = keyof typeof ABILITIES;

/** A method was called whose ability is lacking, since the scenario does not name the ability in `needs`. */
export class AbilityLackingError extends Error {
  override readonly name = "AbilityLackingError";

  constructor(place: string, ability: Ability) {
    super(
      `${place} has no ${ability}: ${ABILITIES[ability]}; a scenario that uses it must name it in \`needs\``,
    );
  }
}

/**
 * Returns the reason to skip a scenario: the first ability that it needs and that the place lacks. Returns undefined
 * when the place lacks none of them. `place` completes the sentence, such as "the target local".
 */
export function reasonToSkip(
  needs: readonly Ability[] | undefined,
  abilities: ReadonlySet<Ability>,
  place: string,
): string | undefined {
  const lacking = needs?.find((ability) => !abilities.has(ability));
  return lacking === undefined ? undefined : `${place} has no ${lacking}: ${ABILITIES[lacking]}`;
}
