/** What not every place has that a scenario can run in, and what a scenario may need of it. */
const ABILITIES = {
  "container-access": "a way to signal and freeze a container from outside, and to see its signals",
  "cluster-nodes": "several nodes, which can be drained and paused",
  "memory-limits": "memory limits that a kernel keeps",
  "api-server": "an API server, as kubectl talks to one",
} as const;

export type Ability = keyof typeof ABILITIES;

/** Why a scenario is left out: the first ability that it needs and the place lacks. undefined when it lacks none. `place` such as "the target local". */
export function reasonToSkip(
  needs: readonly Ability[] | undefined,
  abilities: ReadonlySet<Ability>,
  place: string,
): string | undefined {
  const lacking = needs?.find((ability) => !abilities.has(ability));
  return lacking === undefined ? undefined : `${place} has no ${lacking}: ${ABILITIES[lacking]}`;
}
