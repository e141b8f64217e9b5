import { offsetDeleteV0, Writer } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { ExchangeConnection } from "./testing/exchange.ts";
import { GROUP, prepare, TOPIC } from "./testing/prepared.ts";
import type { Prepared } from "./testing/prepared.ts";

const OTHER = "other";

/** Encodes a ConsumerProtocolSubscription of version 0. */
const subscription = (...topics: string[]): Buffer =>
  Writer.create()
    .appendInt16(0)
    .appendArray(topics, (writer, topic) => writer.appendString(topic, false), false, false)
    .appendBytes(null, false).buffer;

async function prepared(metadata: Buffer): Promise<Prepared> {
  const ready = await prepare();
  const { cluster } = ready;
  cluster.createTopic(OTHER);
  const group = cluster.groups.getOrCreate(GROUP);
  const [member] = group.members;
  if (member !== undefined) member.protocols = [{ name: "range", metadata }];
  for (const topic of [TOPIC, OTHER]) {
    group.offsets.set(topic, 0, { offset: 1n, leaderEpoch: -1, metadata: "", committedAtMs: 0 });
  }
  return ready;
}

/** Deletes offsets and returns the error of every partition, by topic. */
async function remove({ cluster }: Prepared, group: string, topics: readonly string[]) {
  const request = topics.map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }));
  const connection = new ExchangeConnection(cluster);
  const answer = await offsetDeleteV0.api.async(connection, group, request).then(
    () => [],
    (error: { errors: readonly { apiId: string; path: string }[] }) => error.errors,
  );
  return answer.map(({ apiId }) => apiId);
}

const committed = ({ cluster }: Prepared): string[] => [
  ...(cluster.groups.get(GROUP)?.offsets.all().keys() ?? []),
];

test("offsets of topics that no member reads are deleted, and others are not", async () => {
  const ready = await prepared(subscription(TOPIC));
  await expect(remove(ready, GROUP, [TOPIC, OTHER])).resolves.toEqual([
    "GROUP_SUBSCRIBED_TO_TOPIC",
  ]);
  expect(ready.cluster.groups.get(GROUP)?.offsets.get(OTHER, 0)).toBeUndefined();
  expect(committed(ready)).toEqual([TOPIC]);
});

test("with metadata that cannot be read every topic counts as subscribed", async () => {
  const ready = await prepared(Buffer.from("?"));
  await expect(remove(ready, GROUP, [OTHER])).resolves.toEqual(["GROUP_SUBSCRIBED_TO_TOPIC"]);
});

test("unknown groups and topics are reported as such", async () => {
  const ready = await prepared(subscription());
  await expect(remove(ready, "nobody", [OTHER])).resolves.toEqual(["GROUP_ID_NOT_FOUND"]);
  await expect(remove(ready, GROUP, ["absent"])).resolves.toEqual(["UNKNOWN_TOPIC_OR_PARTITION"]);
  expect(committed(ready)).toEqual([TOPIC, OTHER]);
});
