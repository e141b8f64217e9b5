import { z } from "zod";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import type { RequestFacts } from "#simulator/kafka/cluster/request-facts.ts";
import type { GroupState } from "#simulator/kafka/groups/group.ts";
import { bigint, bytes, faultRule, protocolEvent, urlNumber } from "./codecs.ts";

const text = z.string();
const nothing = z.void();
const id = z.int();
const waitMs = urlNumber.exactOptional();

const faultState = z.object({
  id,
  rule: faultRule,
  hits: z.int(),
  /** What it bit first. */
  firstHit: z.custom<RequestFacts>().nullable(),
});

const topicState = z.object({
  name: text,
  partitions: z.array(
    z.object({
      index: z.int(),
      /** Node id; -1 while no replica lives. */
      leader: id,
      /** The first offset that can be fetched. */
      startOffset: bigint,
      /** Offset of the next record. */
      endOffset: bigint,
    }),
  ),
});

const storedRecord = z.object({
  partition: z.int(),
  offset: bigint,
  timestampMs: z.number(),
  key: bytes.nullable(),
  value: bytes.nullable(),
  headers: z.array(z.tuple([text, bytes.nullable()])),
});

const newRecord = z.strictObject({
  topic: text,
  key: bytes.nullable(),
  value: bytes.nullable(),
  headers: z.record(text, bytes).exactOptional(),
  partition: z.int().nonnegative().exactOptional(),
});

const committedOffset = z.object({
  topic: text,
  partition: z.int(),
  /** Next offset to be read. */
  offset: bigint,
  leaderEpoch: z.int(),
  metadata: text.nullable(),
  committedAtMs: z.number(),
});

const groupState = z.object({
  id: text,
  state: z.custom<GroupState>(),
  generation: z.int(),
  /** Id of the node that coordinates it, -1 when none lives. */
  coordinator: id,
  members: z.array(
    z.object({
      memberId: text,
      instanceId: text.nullable(),
      clientId: text,
      clientHost: text,
      /** What the leader assigned, as it came. */
      assignment: bytes,
    }),
  ),
});

const eventPage = z.object({
  events: z.array(z.custom<KafkaEvent>()),
  /** Number of the last one: what to ask after next. */
  last: z.int(),
  /** Events between the one that was asked after and the first of these that are not kept any more. */
  missed: z.int(),
});

const protocolPage = z.object({
  events: z.array(protocolEvent),
  /** Number of the last one of these: what to ask after next. */
  last: z.int(),
  /** Events after the one that was asked after which are not kept any more. */
  missed: z.int(),
});

const topic = z.strictObject({ topic: text });
const group = z.strictObject({ group: text });
const member = z.strictObject({ group: text, member: text });
const node = z.strictObject({ node: urlNumber });
const fault = z.strictObject({ id: urlNumber });

/**
 * Everything that is asked of a broker or done to it: method and path over HTTP, input and output. What the path
 * names is in the path, the rest of the input in the query (GET, DELETE) or the body (POST, PUT). All throw
 * RangeError for names that do not exist and values that are not allowed.
 */
export const OPERATIONS = {
  /** `host:port` of every node through a listener. Default: the first. */
  bootstrap: operation(
    "GET",
    "/bootstrap",
    z.strictObject({ listener: text.exactOptional() }),
    z.array(text),
  ),
  /** Adds a user or changes the password; open connections stay. */
  setPassword: operation(
    "PUT",
    "/users/:user",
    z.strictObject({ user: text, password: text }),
    nothing,
  ),
  deleteUser: operation("DELETE", "/users/:user", z.strictObject({ user: text }), nothing),

  /** Installs a rule behind those that are there. `installFault` gives it as a guard. */
  addFault: operation("POST", "/faults", faultRule, z.object({ id })),
  faults: operation("GET", "/faults", z.strictObject({}), z.array(faultState)),
  /** Waits for the first hit so long (default 0), then tells how it is. */
  fault: operation("GET", "/faults/:id", fault.extend({ waitMs }), faultState),
  /** Lets everyone held at the barrier go on, and later ones pass; ends what a blackhole swallowed. */
  releaseFault: operation("POST", "/faults/:id/release", fault, nothing),
  /** Releases, removes, and tells how it was. A rule that never bit is an error only to its guard. */
  removeFault: operation("DELETE", "/faults/:id", fault, faultState),

  /** Names in the order of creation. */
  topics: operation("GET", "/topics", z.strictObject({}), z.array(text)),
  createTopic: operation(
    "POST",
    "/topics",
    z.strictObject({
      name: text,
      partitions: z.int().positive().exactOptional(),
      config: z.record(text, text).exactOptional(),
    }),
    nothing,
  ),
  topic: operation("GET", "/topics/:topic", topic, topicState),
  /** Records that can be fetched, decompressed, by partition and offset. */
  records: operation("GET", "/topics/:topic/records", topic, z.array(storedRecord)),
  /** Appends without a request: no fault bites it, and no node has to live. */
  append: operation(
    "POST",
    "/topics/:topic/records",
    newRecord,
    z.object({ partition: z.int(), offset: bigint }),
  ),
  /** Records before `offset` are gone: fetching them is OFFSET_OUT_OF_RANGE. */
  deleteRecordsBefore: operation(
    "DELETE",
    "/topics/:topic/partitions/:partition/records",
    topic.extend({ partition: urlNumber, offset: bigint }),
    nothing,
  ),
  moveLeader: operation(
    "PUT",
    "/topics/:topic/partitions/:partition/leader",
    topic.extend({ partition: urlNumber, node: id }),
    nothing,
  ),

  /** Ids of the groups that somebody has used. */
  groups: operation("GET", "/groups", z.strictObject({}), z.array(text)),
  /** A group that nobody has used is `Dead`. */
  group: operation("GET", "/groups/:group", group, groupState),
  offsets: operation("GET", "/groups/:group/offsets", group, z.array(committedOffset)),
  /** Makes every member join again. False when there is nobody, or they do already. */
  rebalance: operation("POST", "/groups/:group/rebalance", group, z.boolean()),
  moveCoordinator: operation(
    "PUT",
    "/groups/:group/coordinator",
    group.extend({ node: id }),
    nothing,
  ),
  /** Removes every member at once, as the end of all their sessions would; the offsets stay. */
  evict: operation("POST", "/groups/:group/evict", group, nothing),
  /** Ends a member's session now. */
  expire: operation("DELETE", "/groups/:group/members/:member", member, nothing),
  /** Lets so much of a member's session pass at once. */
  advanceSession: operation(
    "POST",
    "/groups/:group/members/:member/advance",
    member.extend({ byMs: z.number().nonnegative() }),
    nothing,
  ),

  nodes: operation(
    "GET",
    "/nodes",
    z.strictObject({}),
    z.array(z.object({ id, alive: z.boolean() })),
  ),
  /** Cuts every socket and frees the ports; other nodes lead and coordinate from now on. */
  killNode: operation("POST", "/nodes/:node/kill", node, z.object({ connectionsCut: z.int() })),
  /** Listens again on the same ports, with the data that the cluster has. */
  startNode: operation("POST", "/nodes/:node/start", node, nothing),

  /** What clients did, in order: those after number `after` (0: all), waiting for one so long (default 0). */
  events: operation("GET", "/events", z.strictObject({ after: urlNumber, waitMs }), eventPage),
  /** What was applied of the consumer protocol, in order, a page of it: what came after number `after` (0: the first). */
  protocolHistory: operation(
    "GET",
    "/protocol-history",
    z.strictObject({ after: urlNumber }),
    protocolPage,
  ),
} as const;

export interface Operation<Input extends z.ZodType, Output extends z.ZodType> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly input: Input;
  readonly output: Output;
}

/** The broker's control, in this process (`localControl`) or over HTTP (`remoteControl`). `signal` ends the wait. */
export type KafkaControl = {
  readonly [Name in keyof typeof OPERATIONS]: Call<
    z.output<(typeof OPERATIONS)[Name]["input"]>,
    z.output<(typeof OPERATIONS)[Name]["output"]>
  >;
};

/** The input may be left out where none of it is needed. */
type Call<Input, Output> =
  Input extends Record<string, never>
    ? (input?: Input, signal?: AbortSignal) => Promise<Output>
    : Partial<Input> extends Input
      ? (input?: Input, signal?: AbortSignal) => Promise<Output>
      : (input: Input, signal?: AbortSignal) => Promise<Output>;

function operation<Input extends z.ZodType, Output extends z.ZodType>(
  method: Operation<Input, Output>["method"],
  path: string,
  input: Input,
  output: Output,
): Operation<Input, Output> {
  return { method, path, input, output };
}
