import { Writer } from "@platformatic/kafka";
import { joinGroup } from "#simulator/kafka/apis/11-join-group.ts";
import { heartbeat } from "#simulator/kafka/apis/12-heartbeat.ts";
import { leaveGroup } from "#simulator/kafka/apis/13-leave-group.ts";
import { syncGroup } from "#simulator/kafka/apis/14-sync-group.ts";
import { describeGroups } from "#simulator/kafka/apis/15-describe-groups.ts";
import { errorName } from "./test-bed.ts";
import type { TestBed } from "./test-bed.ts";
import type { WireConnection } from "./wire-connection.ts";

export interface MemberOptions {
  readonly instanceId?: string | null;
  readonly protocols?: readonly string[];
  readonly protocolType?: string;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
}

/**
 * One member of a group on a connection of its own. Every step is one request, which the caller
 * chooses.
 */
export class WireMember {
  readonly group: string;
  readonly connection: WireConnection;
  readonly options: MemberOptions;
  memberId = "";
  generation = -1;

  static async open(
    testBed: TestBed,
    group: string,
    options: MemberOptions = {},
  ): Promise<WireMember> {
    const connection = await testBed.connect(await testBed.coordinatorId(group));
    return new WireMember(group, connection, options);
  }

  private constructor(group: string, connection: WireConnection, options: MemberOptions) {
    this.group = group;
    this.connection = connection;
    this.options = options;
  }

  /** Sends one JoinGroup. Keeps the member id and, without an error, the generation. */
  async tryJoin(version = 9, memberId = this.memberId) {
    const { protocols = ["range"], protocolType = "consumer", instanceId = null } = this.options;
    const { sessionTimeoutMs = 30_000, rebalanceTimeoutMs = 30_000 } = this.options;
    const answer = await this.connection.call(joinGroup, version, {
      groupId: this.group,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      groupInstanceId: instanceId,
      protocolType,
      protocols: protocols.map((name) => ({ name, metadata: metadataOf(name) })),
    });
    if (answer.memberId !== "") this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generation = answer.generationId;
    return { ...answer, error: errorName(answer) };
  }

  /** Joins as clients do: a second time with the id that it was given. */
  async join(version = 9) {
    const first = await this.tryJoin(version);
    return first.error === "MEMBER_ID_REQUIRED" ? await this.tryJoin(version) : first;
  }

  async sync(assignments: Readonly<Record<string, string>> = {}, options: SyncOptions = {}) {
    const { version = 5, generation = this.generation, memberId = this.memberId } = options;
    const { protocolType = "consumer", protocolName = "range" } = options;
    const answer = await this.connection.call(syncGroup, version, {
      groupId: this.group,
      generationId: generation,
      memberId,
      groupInstanceId: this.options.instanceId ?? null,
      protocolType,
      protocolName,
      assignments: Object.entries(assignments).map(([id, text]) => ({
        memberId: id,
        assignment: Buffer.from(text),
      })),
    });
    return { ...answer, error: errorName(answer), assignment: String(answer.assignment) };
  }

  async beat({ generation = this.generation, memberId = this.memberId, version = 4 } = {}) {
    const { instanceId = null } = this.options;
    return errorName(
      await this.connection.call(heartbeat, version, {
        groupId: this.group,
        generationId: generation,
        memberId,
        groupInstanceId: instanceId,
      }),
    );
  }

  async leave(): Promise<string> {
    const { instanceId = null } = this.options;
    const answer = await this.connection.call(leaveGroup, 5, {
      groupId: this.group,
      members: [{ memberId: this.memberId, groupInstanceId: instanceId }],
    });
    return answer.errorCode === 0 ? errorName(answer.members[0]) : errorName(answer);
  }
}

interface SyncOptions {
  readonly version?: number;
  readonly generation?: number;
  readonly memberId?: string;
  readonly protocolType?: string | null;
  readonly protocolName?: string | null;
}

/**
 * Returns a member's metadata for one of its strategies: a subscription of version 0 (no topics,
 * user data). Apache Kafka 4 parses it, and never answers a JoinGroup with one that it cannot read.
 */
export function metadataOf(protocol: string): Buffer {
  const userData = Buffer.from(protocol);
  return Writer.create().appendInt16(0).appendInt32(0).appendBytes(userData, false).buffer;
}

/** Makes a stable group of one member, with the assignment `all`. */
export async function stableMember(testBed: TestBed, group: string, options: MemberOptions = {}) {
  const member = await WireMember.open(testBed, group, options);
  const joined = await member.join();
  if (joined.error !== "NONE") throw new Error(`JoinGroup ${joined.error}`);
  const [protocol = "range"] = options.protocols ?? [];
  const { protocolType = "consumer" } = options;
  const synced = await member.sync(
    { [member.memberId]: "all" },
    { protocolName: protocol, protocolType },
  );
  if (synced.error !== "NONE") throw new Error(`SyncGroup ${synced.error}`);
  return member;
}

/** Returns the description of the group by its coordinator. */
export async function describeGroup(testBed: TestBed, group: string, version = 5) {
  const coordinator = await testBed.coordinator(group);
  const { groups } = await coordinator.call(describeGroups, version, { groups: [group] });
  return groups[0];
}
