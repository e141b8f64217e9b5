import type { GenerationFacts, GroupProtocol, Member, SyncRequest } from "./member.ts";

/**
 * Returns the strategy that every member supports and that most prefer, or null when there is none.
 */
export function selectProtocol(members: readonly Member[]): string | null {
  const votes = new Map<string, number>();
  for (const member of members) {
    const choice = member.protocols.find(({ name }) => isSpokenByAll(name, members));
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
  }
  return [...votes].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

/** Tells whether one of `protocols` is a strategy of every member. */
export function hasCommonProtocol(
  protocols: readonly GroupProtocol[],
  members: readonly Member[],
): boolean {
  return protocols.some(({ name }) => isSpokenByAll(name, members));
}

/** Tells whether both are the same strategies in the same order with the same metadata. */
export function sameProtocols(a: readonly GroupProtocol[], b: readonly GroupProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((protocol, index) => {
      const other = b[index];
      return other?.name === protocol.name && other.metadata.equals(protocol.metadata);
    })
  );
}

/** Tells whether a member that syncs names the chosen strategy. */
export function speaks(request: SyncRequest, facts: GenerationFacts): boolean {
  const { protocolType, protocolName } = request;
  return (
    (protocolType === null || protocolType === facts.protocolType) &&
    (protocolName === null || protocolName === facts.protocolName)
  );
}

function isSpokenByAll(name: string, members: readonly Member[]): boolean {
  return members.every((member) => member.protocols.some((protocol) => protocol.name === name));
}
