import { createRequire } from "node:module";

import { expect, test } from "vitest";

import { guardFetchAnswers, RAW_RECORDS } from "./fetch-answer.ts";
import type { FetchedRecords } from "#consumer/adapters/kafka/records/raw-records.ts";

const VERSION = 4;

function int(bytes: 2 | 4 | 8, value: number): Buffer {
  const field = Buffer.alloc(bytes);
  field.writeIntBE(value, Math.max(0, bytes - 6), Math.min(6, bytes));
  return field;
}

/** An answer of version 4 about the topic "t", with these records of its partitions 0, 1 and so on. */
function answer(partitions: readonly Buffer[]): Buffer {
  return Buffer.concat([
    int(4, 0),
    int(4, 1),
    int(2, 1),
    Buffer.from("t"),
    int(4, partitions.length),
    ...partitions.flatMap((records, partition) => [
      int(4, partition),
      int(2, 0),
      int(8, 9),
      int(8, 9),
      int(4, 0),
      int(4, records.length),
      records,
    ]),
  ]);
}

interface Fetch {
  readonly protocol: (choice: { version: number }) => (given: object) => {
    readonly response: {
      decode(bytes: Buffer): Promise<{
        readonly responses: readonly {
          readonly partitions: readonly { readonly messages: readonly FetchedRecords[] }[];
        }[];
      }>;
    };
  };
}

/** The bytes that were fetched of each partition. */
async function fetched(bytes: Buffer, count: number): Promise<(Buffer | undefined)[]> {
  guardFetchAnswers();
  const fetch: Fetch = createRequire(import.meta.url)("kafkajs/src/protocol/requests/fetch");
  const partitions = Array.from({ length: count }, (_, partition) => ({
    partition,
    fetchOffset: "0",
    maxBytes: 1,
  }));
  const topics = [{ topic: "t", partitions }];
  const create = fetch.protocol({ version: VERSION });
  const { response } = create({ topics, rackId: RAW_RECORDS });
  const [topic] = (await response.decode(bytes)).responses;
  return (topic?.partitions ?? []).map(({ messages }) => messages[0]?.take()?.bytes);
}

test("a small part of an answer does not keep the whole of it in memory", async () => {
  const small = Buffer.from("small");
  const large = Buffer.alloc(1_000_000, 7);
  const [first, second] = await fetched(answer([small, large]), 2);
  expect(first).toEqual(small);
  expect(first?.buffer.byteLength).toBeLessThan(1000);
  expect(second).toEqual(large);
});

test("a part that is nearly all of its answer is not copied", async () => {
  const bytes = answer([Buffer.alloc(1_000_000, 7)]);
  const [only] = await fetched(bytes, 1);
  expect(only?.buffer).toBe(bytes.buffer);
});
