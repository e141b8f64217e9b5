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
  /** The first request that triggered it. */
  firstHit: z.custom<RequestFacts>().nullable(),
});

const topicState = z.object({
  name: text,
  partitions: z.array(
    z.object({
      index: z.int(),
      /** The id of the leading node, or -1 while no replica lives. */
      leader: id,
      /** The first offset that can be fetched. */
      startOffset: bigint,
      /** The offset of the next record. */
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
  /** The next offset to be read. */
  offset: bigint,
  leaderEpoch: z.int(),
  metadata: text.nullable(),
  committedAtMs: z.number(),
});

const groupState = z.object({
  id: text,
  state: z.custom<GroupState>(),
  generation: z.int(),
  /** The id of the coordinating node, or -1 when none lives. */
  coordinator: id,
  members: z.array(
    z.object({
      memberId: text,
      instanceId: text.nullable(),
      clientId: text,
      clientHost: text,
      /** The bytes that the leader assigned, unchanged. */
      assignment: bytes,
    }),
  ),
});

const eventPage = z.object({
  events: z.array(z.custom<KafkaEvent>()),
  /** The number of the last event: ask for what comes after it next. */
  last: z.int(),
  /** The number of events after the requested one that are not kept any more. */
  missed: z.int(),
});

const protocolPage = z.object({
  events: z.array(protocolEvent),
  /** The number of the last of these events: ask for what comes after it next. */
  last: z.int(),
  /** The number of events after the requested one that are not kept any more. */
  missed: z.int(),
});

const topic = z.strictObject({ topic: text });
const group = z.strictObject({ group: text });
const member = z.strictObject({ group: text, member: text });
const node = z.strictObject({ node: urlNumber });
const fault = z.strictObject({ id: urlNumber });

/**
 * Everything that can be asked of a broker or done to it: method and path over HTTP, input and
 * output. Fields that the path names are in the path, the rest of the input is in the query (GET,
 * DELETE) or the body (POST, PUT). All operations throw RangeError for names that do not exist and
 * values that are not allowed.
 */
export const OPERATIONS = {
  /** Returns `host:port` of every node through a listener. Defaults to the first listener. */
  bootstrap: operation(
    "GET",
    "/bootstrap",
    z.strictObject({ listener: text.exactOptional() }),
    z.array(text),
  ),
  /** Adds a user or changes the password. Open connections stay. */
  setPassword: operation(
    "PUT",
    "/users/:user",
    z.strictObject({ user: text, password: text }),
    nothing,
  ),
  deleteUser: operation("DELETE", "/users/:user", z.strictObject({ user: text }), nothing),

  /** Installs a rule behind the present ones. `installFault` turns it into a disposable. */
  addFault: operation("POST", "/faults", faultRule, z.object({ id })),
  faults: operation("GET", "/faults", z.strictObject({}), z.array(faultState)),
  /** Waits this long for the first hit (default 0), then returns the state of the rule. */
  fault: operation("GET", "/faults/:id", fault.extend({ waitMs }), faultState),
  /**
   * Lets all requests at the barrier go on, and later ones pass. Ends what a blackhole swallowed.
   */
  releaseFault: operation("POST", "/faults/:id/release", fault, nothing),
  /**
   * Releases and removes the rule, and returns its last state. Only `installFault` treats a rule
   * that was never triggered as an error.
   */
  removeFault: operation("DELETE", "/faults/:id", fault, faultState),

  /** Returns the names in the order of creation. */
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
  /** Returns the records that can be fetched, decompressed, by partition and offset. */
  records: operation("GET", "/topics/:topic/records", topic, z.array(storedRecord)),
  /** Appends a record without a request: no fault applies to it, and no living node is needed. */
  append: operation(
    "POST",
    "/topics/:topic/records",
    newRecord,
    z.object({ partition: z.int(), offset: bigint }),
  ),
  /** Deletes the records before `offset`: fetching them then answers OFFSET_OUT_OF_RANGE. */
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

  /** Returns the ids of the groups that somebody has used. */
  groups: operation("GET", "/groups", z.strictObject({}), z.array(text)),
  /** Returns a group. One that nobody has used is `Dead`. */
  group: operation("GET", "/groups/:group", group, groupState),
  offsets: operation("GET", "/groups/:group/offsets", group, z.array(committedOffset)),
  /**
   * Makes every member join again. Returns false when there are no members, or when they are
   * joining already.
   */
  rebalance: operation("POST", "/groups/:group/rebalance", group, z.boolean()),
  moveCoordinator: operation(
    "PUT",
    "/groups/:group/coordinator",
    group.extend({ node: id }),
    nothing,
  ),
  /** Removes every member at once, as the end of all their sessions would. The offsets stay. */
  evict: operation("POST", "/groups/:group/evict", group, nothing),
  /** Ends a member's session now. */
  expire: operation("DELETE", "/groups/:group/members/:member", member, nothing),
  /** Lets this much of a member's session pass at once. */
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
  /** Cuts every socket and frees the ports. From now on other nodes lead and coordinate. */
  killNode: operation("POST", "/nodes/:node/kill", node, z.object({ connectionsCut: z.int() })),
  /** Listens again on the same ports, with the cluster's data. */
  startNode: operation("POST", "/nodes/:node/start", node, nothing),

  /**
   * Returns what clients did, in order, after number `after` (0: all). Waits this long for an event
   * (default 0).
   */
  events: operation("GET", "/events", z.strictObject({ after: urlNumber, waitMs }), eventPage),
  /**
   * Returns a page of what was applied of the consumer protocol, in order, after number `after` (0:
   * from the first on).
   */
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

/**
 * The broker's control, in this process (`localControl`) or over HTTP (`remoteControl`). `signal`
 * ends the wait.
 */
export type KafkaControl = {
  readonly [Name in keyof typeof OPERATIONS]: Call<
    z.output<(typeof OPERATIONS)[Name]["input"]>,
    z.output<(typeof OPERATIONS)[Name]["output"]>
  >;
};

/** A call whose input may be left out when no field of it is required. */
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
