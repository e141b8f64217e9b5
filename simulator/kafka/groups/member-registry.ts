import type { ErrorName } from "#simulator/kafka/wire/errors.ts";
import type { Member } from "./member.ts";

/**
 * The members of one group, in the order in which they came. The first one leads until it leaves.
 */
export class MemberRegistry {
  readonly #byId = new Map<string, Member>();
  #leaderId: string | null = null;

  get size(): number {
    return this.#byId.size;
  }

  get leaderId(): string | null {
    return this.#leaderId;
  }

  all(): readonly Member[] {
    return [...this.#byId.values()];
  }

  get(id: string): Member | undefined {
    return this.#byId.get(id);
  }

  byInstance(instanceId: string | null): Member | undefined {
    if (instanceId === null) return undefined;
    return this.all().find((member) => member.instanceId === instanceId);
  }

  /**
   * Returns the member, or the error for these names. `id` may be empty when `instanceId` is given.
   */
  find(id: string, instanceId: string | null): Member | ErrorName {
    if (instanceId === null) return this.#byId.get(id) ?? "UNKNOWN_MEMBER_ID";
    const member = this.byInstance(instanceId);
    if (member === undefined) return "UNKNOWN_MEMBER_ID";
    return id === "" || member.id === id ? member : "FENCED_INSTANCE_ID";
  }

  add(member: Member): void {
    this.#byId.set(member.id, member);
    this.#leaderId ??= member.id;
  }

  /** Puts `added` in the place of `old`, also as the leader. */
  replace(old: Member, added: Member): void {
    this.#byId.delete(old.id);
    this.#byId.set(added.id, added);
    if (this.#leaderId === old.id) this.#leaderId = added.id;
  }

  delete(member: Member): void {
    this.#byId.delete(member.id);
    if (this.#leaderId === member.id) this.#leaderId = this.all()[0]?.id ?? null;
  }

  lead(member: Member): void {
    this.#leaderId = member.id;
  }

  clear(): void {
    this.#byId.clear();
    this.#leaderId = null;
  }

  /**
   * Returns the longest time that a rebalance may take: the greatest timeout of all members, in
   * milliseconds.
   */
  rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.all().map((member) => member.rebalanceTimeoutMs));
  }
}
