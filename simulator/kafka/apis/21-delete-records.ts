import { array, int16, int32, int64, string, struct } from "#simulator/kafka/wire/codec.ts";
import { errorCode } from "#simulator/kafka/wire/errors.ts";
import { defineApi, scopeOfPartitions } from "./define.ts";
import type { RequestContext } from "./define.ts";
import { ledPartition } from "./leadership.ts";

/** Stands for everything up to the high watermark. */
const ALL = -1n;

export const deleteRecords = defineApi({
  key: 21,
  name: "DeleteRecords",
  versions: [0, 2],
  flexibleFrom: 2,
  request: struct({
    topics: array(
      struct({ name: string, partitions: array(struct({ index: int32, offset: int64 })) }),
    ),
    timeoutMs: int32,
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ index: int32, lowWatermark: int64, errorCode: int16 })),
      }),
    ),
  }),
  scope: ({ topics }) => scopeOfPartitions(topics),
  handle: ({ topics }, context) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index, offset }) => remove(name, index, offset, context)),
    })),
  }),
  refuse: ({ topics }, error) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index }) => failed(index, error)),
    })),
  }),
});

function remove(topic: string, index: number, offset: bigint, context: RequestContext) {
  const led = ledPartition(context, "DELETE", topic, index);
  if (typeof led === "string") return failed(index, errorCode(led));
  const { log } = led.partition;
  const wanted = offset === ALL ? log.endOffset : offset;
  if (wanted < 0n || wanted > log.endOffset) return failed(index, errorCode("OFFSET_OUT_OF_RANGE"));
  if (wanted > log.startOffset) led.partition.log.deleteBefore(wanted);
  return { index, lowWatermark: log.startOffset, errorCode: 0 };
}

function failed(index: number, error: number) {
  return { index, lowWatermark: -1n, errorCode: error };
}
