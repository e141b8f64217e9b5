import { randomUUID } from "node:crypto";
import type { Timer, Timers } from "../timers.ts";
import type { ErrorName } from "../wire/errors.ts";
import { joinError, newMember, sameProtocols, syncError } from "./member.ts";
import type { JoinRequest, JoinResult, Member, SyncRequest, SyncResult } from "./member.ts";
import { CommittedOffsets } from "./offsets.ts";

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

/**
 * One consumer group of the classic protocol, as Apache Kafka's GroupCoordinator runs it: members join until all
 * known ones are there or the rebalance timeout has passed, the leader assigns, everybody syncs.
 */
export class Group {
  readonly id: string;
  readonly offsets = new CommittedOffsets();
  readonly #timers: Timers;
  readonly #initialRebalanceDelayMs: number;
  readonly #members = new Map<string, Member>();
  /** Ids given out with MEMBER_ID_REQUIRED whose owners have not come back yet. */
  readonly #pending = new Map<string, Timer>();
  #state: GroupState = "Empty";
  #generation = 0;
  #protocolType: string | null = null;
  #protocolName: string | null = null;
  #leaderId: string | null = null;
  /** Ends the phase of joining or of syncing when it lasts too long. */
  #phase: Timer | undefined;
  /** While it lasts the first members of an empty group are collected. */
  #collecting: { endsAtMs: number; joinedSince: boolean } | undefined;

  constructor(id: string, timers: Timers, initialRebalanceDelayMs: number) {
    this.id = id;
    this.#timers = timers;
    this.#initialRebalanceDelayMs = initialRebalanceDelayMs;
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
    return this.#leaderId;
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  join(request: JoinRequest): Promise<JoinResult> {
    return new Promise((resolve) => {
      const answer = this.#tryJoin(request, resolve);
      if (answer !== undefined) resolve(answer);
    });
  }

  sync(request: SyncRequest): Promise<SyncResult> {
    const member = this.#members.get(request.memberId);
    const error = this.#refusal(request.memberId, request.instanceId, request.generation);
    if (error !== "NONE" || member === undefined) return Promise.resolve(syncError(error));
    if (!this.#speaks(request)) return Promise.resolve(syncError("INCONSISTENT_GROUP_PROTOCOL"));
    if (this.#state === "PreparingRebalance") {
      return Promise.resolve(syncError("REBALANCE_IN_PROGRESS"));
    }
    if (this.#state === "Stable") {
      this.#renew(member);
      return Promise.resolve(this.#assigned(member));
    }
    return new Promise((resolve) => {
      member.syncing?.(syncError("REBALANCE_IN_PROGRESS"));
      member.syncing = resolve;
      if (member.id === this.#leaderId) this.#assign(request.assignments);
    });
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): ErrorName {
    const error = this.#refusal(memberId, instanceId, generation);
    const member = this.#members.get(memberId);
    if (error !== "NONE" || member === undefined) return error;
    this.#renew(member);
    return this.#state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : "NONE";
  }

  /** `memberId` may be empty when `instanceId` names a static member. */
  leave(memberId: string, instanceId: string | null): ErrorName {
    const pending = this.#pending.get(memberId);
    if (pending !== undefined) {
      this.#forgetPending(memberId);
      return "NONE";
    }
    const member = this.#find(memberId, instanceId);
    if (typeof member === "string") return member;
    this.#remove(member);
    return "NONE";
  }

  /** Whether these identities may commit now. `generation` below 0 with no member: a consumer outside the group. */
  mayCommit(memberId: string, instanceId: string | null, generation: number): ErrorName {
    if (generation < 0 && memberId === "") {
      return this.#members.size === 0 ? "NONE" : "UNKNOWN_MEMBER_ID";
    }
    const error = this.#refusal(memberId, instanceId, generation);
    const member = this.#members.get(memberId);
    if (error !== "NONE" || member === undefined) return error;
    if (this.#state === "CompletingRebalance") return "REBALANCE_IN_PROGRESS";
    this.#renew(member);
    return "NONE";
  }

  /** Makes every member join again. */
  rebalance(): void {
    if (this.#state === "Stable" || this.#state === "CompletingRebalance") this.#prepareRebalance();
  }

  /** Removes a member at once, as the end of its session would. */
  expire(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member !== undefined) this.#remove(member);
  }

  /** Answers everyone who waits with `error`; the members stay. */
  answerWaiting(error: ErrorName): void {
    for (const member of this.#members.values()) {
      this.#answerJoin(member, joinError(error, member.id));
      this.#answerSync(member, syncError(error));
    }
  }

  /** Ends the group: no timer is left, nobody waits. */
  close(error: ErrorName): void {
    this.answerWaiting(error);
    for (const member of this.#members.values()) member.session?.cancel();
    for (const timer of this.#pending.values()) timer.cancel();
    this.#phase?.cancel();
    this.#members.clear();
    this.#pending.clear();
    this.#state = "Dead";
  }

  #tryJoin(request: JoinRequest, resolve: (result: JoinResult) => void): JoinResult | undefined {
    if (this.#state === "Dead") return joinError("COORDINATOR_NOT_AVAILABLE", request.memberId);
    if (!this.#accepts(request)) return joinError("INCONSISTENT_GROUP_PROTOCOL", request.memberId);
    if (request.memberId === "") return this.#joinNew(request, resolve);
    if (this.#pending.has(request.memberId)) {
      this.#add(newMember(request.memberId, request), resolve);
      return undefined;
    }
    const member = this.#find(request.memberId, request.instanceId);
    if (typeof member === "string") return joinError(member, request.memberId);
    return this.#rejoin(member, request, resolve);
  }

  #joinNew(request: JoinRequest, resolve: (result: JoinResult) => void): JoinResult | undefined {
    const id = `${request.instanceId ?? request.clientId}-${randomUUID()}`;
    const replaced = this.#byInstance(request.instanceId);
    if (replaced !== undefined)
      return this.#replace(replaced, newMember(id, request), request, resolve);
    if (request.requireMemberId && request.instanceId === null) {
      const forget = (): void => this.#forgetPending(id);
      this.#pending.set(id, this.#timers.after(request.sessionTimeoutMs, forget));
      return joinError("MEMBER_ID_REQUIRED", id);
    }
    this.#add(newMember(id, request), resolve);
    return undefined;
  }

  #add(member: Member, resolve: (result: JoinResult) => void): void {
    this.#pending.get(member.id)?.cancel();
    this.#pending.delete(member.id);
    member.joining = resolve;
    this.#members.set(member.id, member);
    this.#leaderId ??= member.id;
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
      (this.#state === "Stable" && unchanged && member.id !== this.#leaderId);
    if (keeps) {
      this.#renew(member);
      return this.#joined(member);
    }
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.protocols = request.protocols;
    this.#answerJoin(member, joinError("REBALANCE_IN_PROGRESS", member.id));
    member.joining = resolve;
    this.#joinOrRebalance();
    return undefined;
  }

  /** A static member came back without its id: it takes the place, the assignment too when nothing has changed. */
  #replace(
    old: Member,
    member: Member,
    request: JoinRequest,
    resolve: (result: JoinResult) => void,
  ): JoinResult | undefined {
    const leaderBefore = this.#leaderId;
    this.#answerJoin(old, joinError("FENCED_INSTANCE_ID", old.id));
    this.#answerSync(old, syncError("FENCED_INSTANCE_ID"));
    old.session?.cancel();
    this.#members.delete(old.id);
    this.#members.set(member.id, member);
    member.assignment = old.assignment;
    if (leaderBefore === old.id) this.#leaderId = member.id;
    if (this.#state === "Stable" && this.#selectProtocol() === this.#protocolName) {
      this.#renew(member);
      const result = this.#joined(member);
      if (leaderBefore !== old.id) return result;
      // Before version 9 it must not believe that it leads: the assignment is settled.
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
      for (const member of this.#members.values()) {
        member.assignment = Buffer.alloc(0);
        this.#answerSync(member, syncError("REBALANCE_IN_PROGRESS"));
        this.#renew(member);
      }
    }
    const first = this.#state === "Empty";
    this.#state = "PreparingRebalance";
    this.#phase?.cancel();
    if (first) {
      const endsAtMs = this.#timers.nowMs() + this.#rebalanceTimeoutMs();
      this.#collecting = { endsAtMs, joinedSince: false };
      this.#collect(this.#collecting, this.#initialRebalanceDelayMs);
      return;
    }
    const complete = (): void => this.#completeJoin();
    this.#phase = this.#timers.after(this.#rebalanceTimeoutMs(), complete);
    this.#tryCompleteJoin();
  }

  /** `group.initial.rebalance.delay.ms`: again and again while members keep coming, at most the rebalance timeout. */
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
    for (const member of this.#members.values()) {
      // A static member keeps its place until its session ends.
      if (member.joining === undefined && member.instanceId === null) this.#drop(member);
    }
    const joined = this.members.filter((member) => member.joining !== undefined);
    if (joined.length === 0 && this.#members.size > 0) {
      const complete = (): void => this.#completeJoin();
      this.#phase = this.#timers.after(this.#rebalanceTimeoutMs(), complete);
      return;
    }
    this.#generation += 1;
    if (this.#members.size === 0) {
      this.#state = "Empty";
      this.#protocolName = null;
      return;
    }
    if (!joined.some((member) => member.id === this.#leaderId) && joined[0] !== undefined) {
      this.#leaderId = joined[0].id;
    }
    this.#protocolName = this.#selectProtocol();
    this.#state = "CompletingRebalance";
    const expire = (): void => this.#expireUnsynced();
    this.#phase = this.#timers.after(this.#rebalanceTimeoutMs(), expire);
    for (const member of joined) {
      this.#renew(member);
      this.#answerJoin(member, this.#joined(member));
    }
  }

  #assign(assignments: SyncRequest["assignments"]): void {
    this.#phase?.cancel();
    const byMember = new Map(assignments.map((one) => [one.memberId, one.assignment]));
    this.#state = "Stable";
    for (const member of this.#members.values()) {
      member.assignment = Buffer.from(byMember.get(member.id) ?? Buffer.alloc(0));
      if (member.syncing !== undefined) {
        this.#renew(member);
        this.#answerSync(member, this.#assigned(member));
      }
    }
  }

  /** Members that joined and then never synced hold everybody up: they are out. */
  #expireUnsynced(): void {
    for (const member of this.#members.values()) {
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
    this.#members.delete(member.id);
    this.#answerJoin(member, joinError("UNKNOWN_MEMBER_ID", member.id));
    this.#answerSync(member, syncError("UNKNOWN_MEMBER_ID"));
    if (this.#leaderId === member.id) this.#leaderId = this.members[0]?.id ?? null;
  }

  #forgetPending(memberId: string): void {
    this.#pending.get(memberId)?.cancel();
    this.#pending.delete(memberId);
    this.#tryCompleteJoin();
  }

  #renew(member: Member): void {
    member.session?.cancel();
    member.session = this.#timers.after(member.sessionTimeoutMs, () => {
      // Whoever waits for an answer is alive: only the coordinator keeps it waiting.
      if (member.joining !== undefined || member.syncing !== undefined) this.#renew(member);
      else this.#remove(member);
    });
  }

  #answerJoin(member: Member, result: JoinResult): void {
    const { joining } = member;
    member.joining = undefined;
    joining?.(result);
  }

  #answerSync(member: Member, result: SyncResult): void {
    const { syncing } = member;
    member.syncing = undefined;
    syncing?.(result);
  }

  #joined(member: Member): JoinResult {
    const leads = member.id === this.#leaderId;
    return {
      error: "NONE",
      memberId: member.id,
      generation: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId ?? "",
      skipAssignment: false,
      members: leads ? this.members.map((one) => this.#described(one)) : [],
    };
  }

  #described(member: Member): JoinResult["members"][number] {
    const chosen = member.protocols.find((protocol) => protocol.name === this.#protocolName);
    const metadata = chosen?.metadata ?? Buffer.alloc(0);
    return { memberId: member.id, instanceId: member.instanceId, metadata };
  }

  #assigned(member: Member): SyncResult {
    return {
      error: "NONE",
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment: member.assignment,
    };
  }

  #find(memberId: string, instanceId: string | null): Member | ErrorName {
    if (instanceId === null) return this.#members.get(memberId) ?? "UNKNOWN_MEMBER_ID";
    const member = this.#byInstance(instanceId);
    if (member === undefined) return "UNKNOWN_MEMBER_ID";
    return memberId === "" || member.id === memberId ? member : "FENCED_INSTANCE_ID";
  }

  #refusal(memberId: string, instanceId: string | null, generation: number): ErrorName {
    if (this.#state === "Dead") return "COORDINATOR_NOT_AVAILABLE";
    const member = this.#find(memberId, instanceId);
    if (typeof member === "string") return member;
    return generation === this.#generation ? "NONE" : "ILLEGAL_GENERATION";
  }

  #byInstance(instanceId: string | null): Member | undefined {
    if (instanceId === null) return undefined;
    return this.members.find((member) => member.instanceId === instanceId);
  }

  #accepts(request: JoinRequest): boolean {
    if (request.protocolType === "" || request.protocols.length === 0) return false;
    if (this.#members.size === 0) {
      this.#protocolType = request.protocolType;
      return true;
    }
    if (request.protocolType !== this.#protocolType) return false;
    const others = this.members.filter((member) => member.id !== request.memberId);
    return request.protocols.some((protocol) => isSpokenByAll(protocol.name, others));
  }

  #speaks(request: SyncRequest): boolean {
    return (
      (request.protocolType === null || request.protocolType === this.#protocolType) &&
      (request.protocolName === null || request.protocolName === this.#protocolName)
    );
  }

  /** Every member votes for the first of its own that all can do. */
  #selectProtocol(): string | null {
    const votes = new Map<string, number>();
    for (const member of this.#members.values()) {
      const choice = member.protocols.find(({ name }) => isSpokenByAll(name, this.members));
      if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
    }
    return [...votes].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? null;
  }

  #rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.members.map((member) => member.rebalanceTimeoutMs));
  }
}

function isSpokenByAll(name: string, members: readonly Member[]): boolean {
  return members.every((member) => member.protocols.some((protocol) => protocol.name === name));
}
