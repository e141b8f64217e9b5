import { z } from "zod";
import type { FaultRule } from "#simulator/kafka/faults/fault-registry.ts";
import type { ProtocolEvent } from "#simulator/kafka/protocol/protocol-event.ts";

/** 64 bits do not fit into a number of JSON. */
export const bigint = z.codec(z.string().regex(/^-?\d+$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});

const uint8Array = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

export const bytes = z.codec(z.base64(), uint8Array, {
  decode: (text) => Buffer.from(text, "base64"),
  encode: (value) => Buffer.from(value).toString("base64"),
});

/** A number in a path or a query is text. */
export const urlNumber = z.codec(z.string().regex(/^\d+$/), z.int().nonnegative(), {
  decode: (text) => Number(text),
  encode: (value) => String(value),
});

const milliseconds = z.number().nonnegative();

const action = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("error"),
    error: z.string(),
    partitionOnly: z.boolean().exactOptional(),
  }),
  z.strictObject({ type: z.literal("delay"), delayMs: milliseconds }),
  z.strictObject({ type: z.literal("drop") }),
  z.strictObject({ type: z.literal("blackhole"), bytes: z.int().nonnegative().exactOptional() }),
  z.strictObject({ type: z.literal("barrier") }),
  z.strictObject({
    type: z.literal("throttle"),
    bytesPerSecond: z.number().positive().exactOptional(),
    throttleTimeMs: z.int().nonnegative().exactOptional(),
  }),
  z.strictObject({
    type: z.literal("truncate"),
    bytes: z.int().nonnegative().exactOptional(),
  }),
]);

export const faultRule = z.strictObject({
  api: z.union([z.string(), z.int()]).exactOptional(),
  direction: z.enum(["request", "reply"]).exactOptional(),
  node: z.int().exactOptional(),
  topic: z.string().exactOptional(),
  partition: z.int().exactOptional(),
  group: z.string().exactOptional(),
  clientId: z.string().exactOptional(),
  principal: z.string().exactOptional(),
  action,
  connections: z.boolean().exactOptional(),
  skip: z.int().nonnegative().exactOptional(),
  times: z.int().positive().exactOptional(),
  probability: z.number().min(0).max(1).exactOptional(),
  seed: z.int().nonnegative().exactOptional(),
  optional: z.boolean().exactOptional(),
}) satisfies z.ZodType<FaultRule>;

const place = { topic: z.string(), partition: z.int() };

export const protocolEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("offset-committed"),
    atMs: z.number(),
    node: z.int(),
    group: z.string(),
    memberId: z.string(),
    generation: z.int(),
    clientId: z.string(),
    ...place,
    offset: bigint,
    error: z.string().nullable(),
  }),
  z.object({
    type: z.literal("records-fetched"),
    atMs: z.number(),
    node: z.int(),
    clientId: z.string(),
    ...place,
    offset: bigint,
    nextOffset: bigint,
  }),
  z.object({
    type: z.literal("generation-formed"),
    atMs: z.number(),
    group: z.string(),
    generation: z.int(),
    members: z
      .array(z.object({ memberId: z.string(), clientId: z.string(), assignment: bytes }))
      .readonly(),
  }),
]) satisfies z.ZodType<ProtocolEvent>;
