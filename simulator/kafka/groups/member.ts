import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import type { SessionClock } from "./session-clock.ts";

/** One assignment strategy that a member supports, with its metadata for the leader. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface JoinRequest {
  /** The member id; empty for a member that has none yet. */
  readonly memberId: string;
  /** The instance id of a static member (KIP-345). */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly GroupProtocol[];
  /**
   * True from JoinGroup version 4 on: a new dynamic member must come back with the id that it was
   * given (KIP-394).
   */
  readonly requireMemberId: boolean;
  /**
   * True from JoinGroup version 9 on: a static leader that came back is told to keep the assignment
   * (KIP-814).
   */
  readonly canSkipAssignment: boolean;
}

export interface JoinResult {
  readonly error: ErrorName;
  readonly memberId: string;
  /** The generation; -1 with an error. */
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string;
  readonly skipAssignment: boolean;
  /** The members. Filled for the leader only. */
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

export interface SyncRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** The protocol type; null before SyncGroup version 5. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** The assignments. Empty unless the leader sends them. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export interface SyncResult {
  readonly error: ErrorName;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

export interface Member {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly GroupProtocol[];
  assignment: Buffer;
  /** Set while the member waits for the answer to its JoinGroup. */
  joining: ((result: JoinResult) => void) | undefined;
  /** Set while the member waits for the answer to its SyncGroup. */
  syncing: ((result: SyncResult) => void) | undefined;
  /** Removes the member when it expires. Every sign of life renews it. */
  session: SessionClock | undefined;
}

export function newMember(id: string, request: JoinRequest): Member {
  return {
    id,
    instanceId: request.instanceId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: request.protocols,
    assignment: Buffer.alloc(0),
    joining: undefined,
    syncing: undefined,
    session: undefined,
  };
}

/** The facts that all members of one generation share. */
export interface GenerationFacts {
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string;
}

/** Builds the answer to a JoinGroup. Only the leader is told the members. */
export function joinAnswer(
  facts: GenerationFacts,
  member: Member,
  members: readonly Member[],
): JoinResult {
  const told = member.id === facts.leaderId ? members : [];
  return {
    ...facts,
    error: "NONE",
    memberId: member.id,
    skipAssignment: false,
    members: told.map(({ id, instanceId, protocols }) => ({
      memberId: id,
      instanceId,
      metadata:
        protocols.find(({ name }) => name === facts.protocolName)?.metadata ?? Buffer.alloc(0),
    })),
  };
}

export function syncAnswer(facts: GenerationFacts, { assignment }: Member): SyncResult {
  const { protocolType, protocolName } = facts;
  return { error: "NONE", protocolType, protocolName, assignment };
}

export function joinError(error: ErrorName, memberId: string): JoinResult {
  return {
    error,
    memberId,
    generation: -1,
    protocolType: null,
    protocolName: null,
    leaderId: "",
    skipAssignment: false,
    members: [],
  };
}

export function syncError(error: ErrorName): SyncResult {
  return { error, protocolType: null, protocolName: null, assignment: Buffer.alloc(0) };
}

/** Ends the wait for the answer to a JoinGroup, if there is one. */
export function answerJoin(member: Member, result: JoinResult): void {
  const { joining } = member;
  member.joining = undefined;
  joining?.(result);
}

/** Ends the wait for the answer to a SyncGroup, if there is one. */
export function answerSync(member: Member, result: SyncResult): void {
  const { syncing } = member;
  member.syncing = undefined;
  syncing?.(result);
}
