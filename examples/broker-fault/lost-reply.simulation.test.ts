import { Kafka, logLevel } from "kafkajs";
import { expect, test } from "vitest";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";

test("a record whose acknowledgement is lost is stored, and stored again when the client repeats it", async () => {
  await using cluster = await startKafka({ topics: ["incidents"] });
  const producer = new Kafka({
    brokers: cluster.bootstrap(),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 1, retries: 3 },
  }).producer();
  await producer.connect();

  // The broker applies the first Produce request, and closes the connection instead of sending its reply. The rule is
  // removed at the end of this block. It throws there when no request matched it, since a fault that never fired proves
  // nothing.
  {
    using lostReply = cluster.faults.add({
      api: "Produce",
      topic: "incidents",
      direction: "reply",
      action: { type: "drop" },
      times: 1,
    });
    await producer.send({ topic: "incidents", messages: [{ value: "one" }] });
    expect(lostReply.hits).toBe(1);
  }

  const stored = cluster
    .topic("incidents")
    .records(0)
    .map(({ value }) => String(value));
  expect(stored).toEqual(["one", "one"]);
  await producer.disconnect();
});
