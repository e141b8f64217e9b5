import { randomUUID } from "node:crypto";
import type { GenerationFormed } from "#simulator/kafka/protocol/protocol-event.ts";
import type { Timer, Timers } from "#simulator/kafka/cluster/timers.ts";
import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import {
  answerJoin,
  answerSync,
  joinAnswer,
  joinError,
  newMember,
  syncAnswer,
  syncError,
} from "./member.ts";
import type {
  GenerationFacts,
  JoinRequest,
  JoinResult,
  Member,
  SyncRequest,
  SyncResult,
} from "./member.ts";
import { MemberRegistry } from "./member-registry.ts";
import { CommittedOffsets } from "./committed-offsets.ts";
import { PendingMembers } from "./pending-members.ts";
import { hasCommonProtocol, sameProtocols, selectProtocol, speaks } from "./protocols.ts";
import { SessionClock } from "./session-clock.ts";

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

/**
 * One consumer group of the classic protocol, as Apache Kafka's GroupCoordinator runs it: members
 * join until all known ones are there or the rebalance timeout has passed, then the leader assigns
 * and every member syncs.
 */
export class Group {
  readonly id: string;
  readonly offsets = new CommittedOffsets();
  readonly #timers: Timers;
  readonly #initialRebalanceDelayMs: number;
  readonly #onFormed: (generation: Omit<GenerationFormed, "atMs">) => void;
  readonly #members = new MemberRegistry();
  readonly #pending: PendingMembers;
  #state: GroupState = "Empty";
  #generation = 0;
  #protocolType: string | null = null;
  #protocolName: string | null = null;
  /** The timer that ends the phase of joining or of syncing when it lasts too long. */
  #phase: Timer | undefined;
  #emptySinceMs: number;
  /** Set while the first members of an empty group are collected. */
  #collecting: { endsAtMs: number; joinedSince: boolean } | undefined;

  constructor(
    id: string,
    timers: Timers,
    initialRebalanceDelayMs: number,
    onFormed: (generation: Omit<GenerationFormed, "atMs">) => void = () => {},
  ) {
    this.id = id;
    this.#timers = timers;
    this.#emptySinceMs = timers.nowMs();
    this.#pending = new PendingMembers(timers, () => this.#tryCompleteJoin());
    this.#initialRebalanceDelayMs = initialRebalanceDelayMs;
    this.#onFormed = onFormed;
  }

  get state(): GroupState {
    return this.#state;
  }

  get generation(): number {
    return this.#generation;
  }

  get protocolType(): string | null {
    return this.#protocolType;
  }

  get protocolName(): string | null {
    return this.#protocolName;
  }

  get leaderId(): string | null {
    return this.#members.leaderId;
  }

  get members(): readonly Member[] {
    return this.#members.all();
  }

  /** The time at which the last member left, or at which the group was made. */
  get emptySinceMs(): number {
    return this.#emptySinceMs;
  }

  /**
   * True when nothing of the group is worth keeping: it has no member, no pending member and no
   * offset.
   */
  get isUnused(): boolean {
    return this.#state === "Empty" && this.#pending.size === 0 && this.offsets.isEmpty;
  }

  join(request: JoinRequest): Promise<JoinResult> {
    return new Promise((resolve) => {
      const answer = this.#tryJoin(request, resolve);
      if (answer !== undefined) resolve(answer);
    });
  }

  sync(request: SyncRequest): Promise<SyncResult> {
    const member = this.#current(request.memberId, request.instanceId, request.generation);
    if (typeof member === "string") return Promise.resolve(syncError(member));
    if (!speaks(request, this.#facts())) {
      return Promise.resolve(syncError("INCONSISTENT_GROUP_PROTOCOL"));
    }
    if (this.#state === "PreparingRebalance") {
      return Promise.resolve(syncError("REBALANCE_IN_PROGRESS"));
    }
    if (this.#state === "Stable") {
      this.#renew(member);
      return Promise.resolve(syncAnswer(this.#facts(), member));
    }
    return new Promise((resolve) => {
      member.syncing?.(syncError("REBALANCE_IN_PROGRESS"));
      member.syncing = resolve;
      if (member.id === this.leaderId) this.#assign(request.assignments);
    });
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): ErrorName {
    const member = this.#current(memberId, instanceId, generation);
    if (typeof member === "string") return member;
    this.#renew(member);
    return this.#state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : "NONE";
  }

  /** Removes a member. `memberId` may be empty when `instanceId` names a static member. */
  leave(memberId: string, instanceId: string | null): ErrorName {
    if (this.#pending.take(memberId)) {
      this.#tryCompleteJoin();
      return "NONE";
    }
    const member = this.#members.find(memberId, instanceId);
    if (typeof member === "string") return member;
    this.#remove(member);
    return "NONE";
  }

  /**
   * Tells whether these identities may commit now. A `generation` below 0 without a member stands
   * for a consumer outside the group.
   */
  mayCommit(memberId: string, instanceId: string | null, generation: number): ErrorName {
    if (generation < 0 && memberId === "") {
      return this.#members.size === 0 ? "NONE" : "UNKNOWN_MEMBER_ID";
    }
    const member = this.#current(memberId, instanceId, generation);
    if (typeof member === "string") return member;
    if (this.#state === "CompletingRebalance") return "REBALANCE_IN_PROGRESS";
    this.#renew(member);
    return "NONE";
  }

  /**
   * Tells the same within a transaction: producers before KIP-447 name no member, and a rebalance
   * is no obstacle.
   */
  mayCommitInTransaction(
    memberId: string,
    instanceId: string | null,
    generation: number,
  ): ErrorName {
    if (this.#state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    if (generation < 0 && (this.#state === "Empty" || memberId === "")) return "NONE";
    const member = this.#current(memberId, instanceId, generation);
    return typeof member === "string" ? member : "NONE";
  }

  /**
   * Makes every member join again. Returns false when there are no members, or when they are
   * joining already.
   */
  rebalance(): boolean {
    if (this.#state !== "Stable" && this.#state !== "CompletingRebalance") return false;
    this.#prepareRebalance();
    return true;
  }

  /** Removes a member at once, as the end of its session would. */
  expire(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member !== undefined) this.#remove(member);
  }

  /** Removes every member at once, as the end of all their sessions would; the offsets stay. */
  evict(): void {
    for (const member of this.#members.all()) this.#drop(member);
    this.#pending.clear();
    if (this.#state !== "Empty" && this.#state !== "Dead") this.#completeJoin();
  }

  /** Lets this much of a member's session pass at once. */
  advanceSession(memberId: string, byMs: number): void {
    this.#members.get(memberId)?.session?.advance(byMs);
  }

  /** Answers every waiting member with `error`. The members stay. */
  answerWaiting(error: ErrorName): void {
    for (const member of this.#members.all()) {
      answerJoin(member, joinError(error, member.id));
      answerSync(member, syncError(error));
    }
  }

  /** Ends the group, its timers and all waits. */
  close(error: ErrorName): void {
    this.answerWaiting(error);
    for (const member of this.#members.all()) member.session?.cancel();
    this.#phase?.cancel();
    this.#members.clear();
    this.#pending.clear();
    this.#state = "Dead";
  }

  #tryJoin(request: JoinRequest, resolve: (result: JoinResult) => void): JoinResult | undefined {
    if (this.#state === "Dead") return joinError("COORDINATOR_NOT_AVAILABLE", request.memberId);
    if (!this.#accepts(request)) return joinError("INCONSISTENT_GROUP_PROTOCOL", request.memberId);
    if (request.memberId === "") return this.#joinNew(request, resolve);
    if (this.#pending.take(request.memberId)) {
      this.#add(newMember(request.memberId, request), resolve);
      return undefined;
    }
    const member = this.#members.find(request.memberId, request.instanceId);
    if (typeof member === "string") return joinError(member, request.memberId);
    return this.#rejoin(member, request, resolve);
  }

  #joinNew(request: JoinRequest, resolve: (result: JoinResult) => void): JoinResult | undefined {
    const id = `${request.instanceId ?? request.clientId}-${randomUUID()}`;
    const replaced = this.#members.byInstance(request.instanceId);
    if (replaced !== undefined) {
      return this.#replace(replaced, newMember(id, request), request, resolve);
    }
    if (request.requireMemberId && request.instanceId === null) {
      this.#pending.add(id, request.sessionTimeoutMs);
      return joinError("MEMBER_ID_REQUIRED", id);
    }
    this.#add(newMember(id, request), resolve);
    return undefined;
  }

  #add(member: Member, resolve: (result: JoinResult) => void): void {
    member.joining = resolve;
    this.#members.add(member);
    if (this.#collecting !== undefined) this.#collecting.joinedSince = true;
    this.#joinOrRebalance();
  }

  #rejoin(
    member: Member,
    request: JoinRequest,
    resolve: (result: JoinResult) => void,
  ): JoinResult | undefined {
    const unchanged = sameProtocols(member.protocols, request.protocols);
    const keeps =
      (this.#state === "CompletingRebalance" && unchanged) ||
      (this.#state === "Stable" && unchanged && member.id !== this.leaderId);
    if (keeps) {
      this.#renew(member);
      return this.#joined(member);
    }
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.protocols = request.protocols;
    answerJoin(member, joinError("REBALANCE_IN_PROGRESS", member.id));
    member.joining = resolve;
    this.#joinOrRebalance();
    return undefined;
  }

  /**
   * Lets a static member that came back without its id take its old place, with the assignment when
   * nothing has changed.
   */
  #replace(
    old: Member,
    member: Member,
    request: JoinRequest,
    resolve: (result: JoinResult) => void,
  ): JoinResult | undefined {
    const leaderBefore = this.leaderId;
    answerJoin(old, joinError("FENCED_INSTANCE_ID", old.id));
    answerSync(old, syncError("FENCED_INSTANCE_ID"));
    old.session?.cancel();
    this.#members.replace(old, member);
    member.assignment = old.assignment;
    if (this.#state === "Stable" && selectProtocol(this.members) === this.#protocolName) {
      this.#renew(member);
      const result = this.#joined(member);
      if (leaderBefore !== old.id) return result;
      // Before version 9 it must not take itself for the leader: the assignment is complete.
      return request.canSkipAssignment
        ? { ...result, skipAssignment: true }
        : { ...result, leaderId: old.id, members: [] };
    }
    member.joining = resolve;
    this.#joinOrRebalance();
    return undefined;
  }

  #joinOrRebalance(): void {
    if (this.#state === "PreparingRebalance") this.#tryCompleteJoin();
    else this.#prepareRebalance();
  }

  #prepareRebalance(): void {
    if (this.#state === "CompletingRebalance") {
      for (const member of this.#members.all()) {
        member.assignment = Buffer.alloc(0);
        answerSync(member, syncError("REBALANCE_IN_PROGRESS"));
        this.#renew(member);
      }
    }
    const first = this.#state === "Empty";
    this.#state = "PreparingRebalance";
    this.#phase?.cancel();
    if (first) {
      const endsAtMs = this.#timers.nowMs() + this.#members.rebalanceTimeoutMs();
      this.#collecting = { endsAtMs, joinedSince: false };
      this.#collect(this.#collecting, this.#initialRebalanceDelayMs);
      return;
    }
    const complete = (): void => this.#completeJoin();
    this.#phase = this.#timers.after(this.#members.rebalanceTimeoutMs(), complete);
    this.#tryCompleteJoin();
  }

  /**
   * Waits `group.initial.rebalance.delay.ms` again while members keep coming, at most for the
   * rebalance timeout.
   */
  #collect(collecting: { endsAtMs: number; joinedSince: boolean }, delayMs: number): void {
    collecting.joinedSince = false;
    this.#phase = this.#timers.after(delayMs, () => {
      const leftMs = collecting.endsAtMs - this.#timers.nowMs();
      if (collecting.joinedSince && leftMs > 0 && this.#initialRebalanceDelayMs > 0) {
        this.#collect(collecting, Math.min(leftMs, this.#initialRebalanceDelayMs));
        return;
      }
      this.#completeJoin();
    });
  }

  #tryCompleteJoin(): void {
    if (this.#state !== "PreparingRebalance" || this.#collecting !== undefined) return;
    if (this.#pending.size > 0) return;
    if (this.members.every((member) => member.joining !== undefined)) this.#completeJoin();
  }

  #completeJoin(): void {
    this.#phase?.cancel();
    this.#collecting = undefined;
    for (const member of this.#members.all()) {
      // A static member keeps its place until its session ends.
      if (member.joining === undefined && member.instanceId === null) this.#drop(member);
    }
    const joined = this.members.filter((member) => member.joining !== undefined);
    if (joined.length === 0 && this.#members.size > 0) {
      const complete = (): void => this.#completeJoin();
      this.#phase = this.#timers.after(this.#members.rebalanceTimeoutMs(), complete);
      return;
    }
    this.#generation += 1;
    if (this.#members.size === 0) {
      this.#state = "Empty";
      this.#emptySinceMs = this.#timers.nowMs();
      this.#protocolName = null;
      this.#tellFormed();
      return;
    }
    if (!joined.some((member) => member.id === this.leaderId) && joined[0] !== undefined) {
      this.#members.lead(joined[0]);
    }
    this.#protocolName = selectProtocol(this.members);
    this.#state = "CompletingRebalance";
    const expire = (): void => this.#expireUnsynced();
    this.#phase = this.#timers.after(this.#members.rebalanceTimeoutMs(), expire);
    for (const member of joined) {
      this.#renew(member);
      answerJoin(member, this.#joined(member));
    }
  }

  #assign(assignments: SyncRequest["assignments"]): void {
    this.#phase?.cancel();
    const byMember = new Map(assignments.map((one) => [one.memberId, one.assignment]));
    this.#state = "Stable";
    const members = this.#members.all();
    for (const member of members) {
      member.assignment = Buffer.from(byMember.get(member.id) ?? Buffer.alloc(0));
    }
    // The observers are notified before any member is answered.
    this.#tellFormed();
    for (const member of members) {
      if (member.syncing !== undefined) {
        this.#renew(member);
        answerSync(member, syncAnswer(this.#facts(), member));
      }
    }
  }

  #tellFormed(): void {
    this.#onFormed({
      type: "generation-formed",
      group: this.id,
      generation: this.#generation,
      members: this.members.map(({ id, clientId, assignment }) => {
        return { memberId: id, clientId, assignment };
      }),
    });
  }

  /** Removes members that joined and then never synced: they hold up all others. */
  #expireUnsynced(): void {
    for (const member of this.#members.all()) {
      if (member.syncing === undefined) this.#drop(member);
    }
    this.#prepareRebalance();
  }

  #remove(member: Member): void {
    this.#drop(member);
    if (this.#state === "Stable" || this.#state === "CompletingRebalance") this.#prepareRebalance();
    else this.#tryCompleteJoin();
  }

  #drop(member: Member): void {
    member.session?.cancel();
    this.#members.delete(member);
    answerJoin(member, joinError("UNKNOWN_MEMBER_ID", member.id));
    answerSync(member, syncError("UNKNOWN_MEMBER_ID"));
  }

  #renew(member: Member): void {
    member.session?.cancel();
    member.session = new SessionClock(this.#timers, member.sessionTimeoutMs, () => {
      // A member that waits for an answer is alive: only the coordinator keeps it waiting.
      if (member.joining !== undefined || member.syncing !== undefined) this.#renew(member);
      else this.#remove(member);
    });
  }

  #joined(member: Member): JoinResult {
    return joinAnswer(this.#facts(), member, this.members);
  }

  #facts(): GenerationFacts {
    return {
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leaderId: this.leaderId ?? "",
    };
  }

  /** Returns the member, or the reason why it may not act in this generation. */
  #current(memberId: string, instanceId: string | null, generation: number): Member | ErrorName {
    if (this.#state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    const member = this.#members.find(memberId, instanceId);
    if (typeof member === "string" || generation === this.#generation) return member;
    return "ILLEGAL_GENERATION";
  }

  #accepts(request: JoinRequest): boolean {
    if (request.protocolType === "" || request.protocols.length === 0) return false;
    if (this.#members.size === 0) {
      this.#protocolType = request.protocolType;
      return true;
    }
    if (request.protocolType !== this.#protocolType) return false;
    const others = this.members.filter((member) => member.id !== request.memberId);
    return hasCommonProtocol(request.protocols, others);
  }
}
