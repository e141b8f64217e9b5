/** This program runs @platformatic/kafka. */
import { readFileSync } from "node:fs";
import { Consumer, Producer, compressionsAlgorithms } from "@platformatic/kafka";
import { answer, decode, encode, task } from "./task.mjs";

// The package exports no package.json.
const manifest = new URL("../package.json", import.meta.resolve("@platformatic/kafka"));
const { version } = JSON.parse(readFileSync(manifest, "utf8"));

const options = ({ bootstrap, secure }) => ({
  clientId: "platformatic",
  bootstrapBrokers: bootstrap.split(","),
  ...(secure === undefined
    ? {}
    : {
        tls: { ca: readFileSync(secure.ca, "utf8") },
        sasl: {
          mechanism: "SCRAM-SHA-512",
          username: secure.username,
          password: secure.password,
        },
      }),
});

async function produce({ connection, topics, records }) {
  const producer = new Producer(options(connection));
  for (const { topic, codec } of topics) {
    const messages = records.map((record) => ({
      topic,
      partition: 0,
      key: decode(record.key),
      value: decode(record.value),
      // The keys are compared by identity: two equal names stay two entries.
      headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), decode(value)])),
      timestamp: BigInt(record.timestampMs),
    }));
    await producer.send({ messages, compression: codec, acks: -1 });
  }
  await producer.close();
  await answer({});
}

async function consume({ connection, topics, count }) {
  const groupId = `platformatic-${process.pid}-${Date.now()}`;
  const consumer = new Consumer({ ...options(connection), groupId });
  const records = Object.fromEntries(topics.map((topic) => [topic, []]));
  const stream = await consumer.consume({
    topics,
    mode: "earliest",
    autocommit: false,
    maxWaitTime: 50,
  });
  for await (const { topic, key, value, headerEntries, timestamp } of stream) {
    const headers = headerEntries.map(([name, bytes]) => [String(name), encode(bytes)]);
    records[topic].push({
      key: encode(key),
      value: encode(value),
      headers,
      timestampMs: Number(timestamp),
    });
    if (topics.every((name) => records[name].length >= count)) break;
  }
  await answer({ records });
  await consumer.close(true);
}

const { do: what, ...asked } = await task;
if (what === "describe") await answer({ version, codecs: Object.keys(compressionsAlgorithms) });
if (what === "produce") await produce(asked);
if (what === "consume") await consume(asked);
process.exit(0);
