import { z } from "zod";

/** Format of the directory; a newer one is refused. */
export const FORMAT = 1;

/** bigint as decimal text: JSON numbers end at 2^53. */
const integer = z.string().regex(/^-?\d+$/);
const topicPartition = z.object({ topic: z.string(), partition: z.number() });

const committed = z.object({
  offset: integer,
  leaderEpoch: z.number(),
  metadata: z.string().nullable(),
  committedAtMs: z.number(),
});

const acl = z.object({
  resource: z.enum(["TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID"]),
  name: z.string(),
  pattern: z.enum(["LITERAL", "PREFIXED"]),
  principal: z.string(),
  host: z.string(),
  operation: z.enum([
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
  ]),
  permission: z.enum(["ALLOW", "DENY"]),
});

const topic = z.object({
  type: z.literal("topic"),
  name: z.string(),
  id: z.string(),
  config: z.record(z.string(), z.string()),
  partitions: z.array(
    z.object({
      replicas: z.array(z.number()),
      leader: z.number(),
      leaderEpoch: z.number(),
      startOffset: integer,
    }),
  ),
});

const transaction = z.object({
  type: z.literal("transaction"),
  id: z.string(),
  producerId: integer,
  producerEpoch: z.number(),
  previousProducerId: integer,
  lastProducerEpoch: z.number(),
  timeoutMs: z.number(),
  state: z.enum([
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
  ]),
  partitions: z.array(topicPartition),
  groups: z.array(z.string()),
  startedAtMs: z.number(),
});

/** One line of the journal: everything but records. What comes later replaces what came before. */
export const journalEntry = z.discriminatedUnion("type", [
  z.object({ type: z.literal("format"), version: z.number() }),
  topic,
  z.object({ type: z.literal("topic-deleted"), id: z.string() }),
  z.object({
    type: z.literal("offset"),
    group: z.string(),
    topic: z.string(),
    partition: z.number(),
    /** null: deleted. */
    committed: committed.nullable(),
  }),
  /** An offset in a transaction that has not ended. */
  z.object({
    type: z.literal("pending-offset"),
    group: z.string(),
    producerId: integer,
    topic: z.string(),
    partition: z.number(),
    committed,
  }),
  z.object({
    type: z.literal("offsets-settled"),
    group: z.string(),
    producerId: integer,
    committed: z.boolean(),
  }),
  z.object({ type: z.literal("group-deleted"), group: z.string() }),
  z.object({ type: z.literal("producer-id"), last: integer }),
  transaction,
  z.object({ type: z.literal("acl"), acl }),
  z.object({ type: z.literal("acl-deleted"), acl }),
]);

export type JournalEntry = z.infer<typeof journalEntry>;
export type TopicEntry = z.infer<typeof topic>;
export type TransactionEntry = z.infer<typeof transaction>;
