/**
 * This program runs librdkafka through @confluentinc/kafka-javascript, with the interface that
 * follows librdkafka's own.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { answer, decode, encode, ended, task } from "./task.mjs";

const require = createRequire(join(process.env.CLIENTS_DIRECTORY ?? "", "package.json"));
const rdkafka = require("@confluentinc/kafka-javascript");
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

const settings = ({ bootstrap, secure }) => ({
  "client.id": "librdkafka",
  "bootstrap.servers": bootstrap,
  ...(secure === undefined
    ? {}
    : {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": secure.ca,
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": secure.username,
        "sasl.password": secure.password,
      }),
});

const connected = (client) =>
  new Promise((resolve, reject) => {
    client.connect({}, (error) => (error ? reject(error) : resolve()));
  });

const disconnected = (client) => new Promise((resolve) => void client.disconnect(resolve));

async function produce({ connection, topics, records }) {
  for (const { topic, codec } of topics) {
    const producer = new rdkafka.Producer({
      ...settings(connection),
      "compression.codec": codec,
      "linger.ms": 50,
      dr_cb: true,
    });
    await connected(producer);
    producer.setPollInterval(20);
    const delivered = new Promise((resolve, reject) => {
      let left = records.length;
      producer.on("delivery-report", (error) => {
        if (error) reject(error);
        left -= 1;
        if (left === 0) resolve();
      });
    });
    for (const record of records) {
      const headers = record.headers.map(([name, value]) => ({ [name]: decode(value) }));
      const { timestampMs } = record;
      const [value, key] = [decode(record.value), decode(record.key)];
      producer.produce(topic, 0, value, key, timestampMs, undefined, headers);
    }
    await delivered;
    await disconnected(producer);
  }
  await answer({});
}

async function consume({ connection, topics, count }) {
  const consumer = new rdkafka.KafkaConsumer(
    {
      ...settings(connection),
      "group.id": `librdkafka-${process.pid}`,
      "enable.auto.commit": false,
      "fetch.wait.max.ms": 50,
    },
    { "auto.offset.reset": "earliest" },
  );
  await connected(consumer);
  const records = Object.fromEntries(topics.map((topic) => [topic, []]));
  const read = new Promise((resolve, reject) => {
    consumer.on("event.error", reject);
    consumer.on("data", (message) => {
      records[message.topic].push({
        key: encode(message.key),
        value: encode(message.value),
        headers: (message.headers ?? []).flatMap((header) =>
          Object.entries(header).map(([name, value]) => [name, encode(value)]),
        ),
        timestampMs: message.timestamp,
      });
      if (topics.every((topic) => records[topic].length >= count)) resolve();
    });
  });
  consumer.assign(topics.map((topic) => ({ topic, partition: 0, offset: 0 })));
  consumer.consume();
  await read;
  await answer({ records });
  await disconnected(consumer);
}

async function member({ connection, group, topic, assignor }) {
  const consumer = new rdkafka.KafkaConsumer(
    {
      ...settings(connection),
      "group.id": group,
      "partition.assignment.strategy": assignor,
      "session.timeout.ms": 6000,
      "heartbeat.interval.ms": 500,
      rebalance_cb(error, partitions) {
        const isAssignment = error.code === rdkafka.CODES.ERRORS.ERR__ASSIGN_PARTITIONS;
        if (isAssignment) this.assign(partitions);
        else this.unassign();
        void answer({ assigned: isAssignment ? partitions.map(({ partition }) => partition) : [] });
      },
    },
    { "auto.offset.reset": "earliest" },
  );
  await connected(consumer);
  consumer.subscribe([topic]);
  consumer.on("data", () => {});
  consumer.consume();
  await ended;
  await disconnected(consumer);
}

const { do: what, ...asked } = await task;
if (what === "describe") {
  const { version } = require("@confluentinc/kafka-javascript/package.json");
  await answer({ version: `${version}, librdkafka ${rdkafka.librdkafkaVersion}`, codecs: CODECS });
}
if (what === "produce") await produce(asked);
if (what === "consume") await consume(asked);
if (what === "member") await member(asked);
process.exit(0);
