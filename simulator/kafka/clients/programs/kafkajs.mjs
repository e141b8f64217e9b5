/** This program runs kafkajs, with the codecs that need no compiler. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { answer, decode, encode, ended, task } from "./task.mjs";

const require = createRequire(import.meta.url);
const kafkajs = require("kafkajs");
const { AssignerProtocol, CompressionCodecs, CompressionTypes, Kafka, PartitionAssigners } =
  kafkajs;
const installed = process.env.CLIENTS_DIRECTORY ?? "";

const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

const load = (name) => createRequire(join(installed, "package.json"))(name);

/** kafkajs itself knows no compression and gzip. The others come from its plugins and from Node. */
function addCodecs() {
  const names = ["none", "gzip"];
  const attempt = (name, make) => {
    try {
      CompressionCodecs[TYPES[name]] = make();
      names.push(name);
    } catch {
      // The package is not installed: the matrix leaves this codec out.
    }
  };
  attempt("snappy", () => load("kafkajs-snappy"));
  attempt("lz4", () => {
    const lz4 = load("lz4-napi");
    return () => ({
      compress: (encoder) => lz4.compressFrame(encoder.buffer),
      decompress: (bytes) => lz4.decompressFrame(bytes),
    });
  });
  attempt("zstd", () => {
    const compress = promisify(zlib.zstdCompress);
    const decompress = promisify(zlib.zstdDecompress);
    return () => ({ compress: (encoder) => compress(encoder.buffer), decompress });
  });
  return names;
}

function client({ bootstrap, secure }) {
  return new Kafka({
    clientId: "kafkajs",
    brokers: bootstrap.split(","),
    logLevel: kafkajs.logLevel.NOTHING,
    ...(secure === undefined
      ? {}
      : {
          ssl: { ca: [readFileSync(secure.ca, "utf8")] },
          sasl: {
            mechanism: "scram-sha-512",
            username: secure.username,
            password: secure.password,
          },
        }),
  });
}

async function produce({ connection, topics, records }) {
  const producer = client(connection).producer();
  await producer.connect();
  for (const { topic, codec } of topics) {
    const messages = records.map((record) => ({
      key: decode(record.key),
      value: decode(record.value),
      headers: grouped(record.headers),
      timestamp: String(record.timestampMs),
    }));
    await producer.send({ topic, messages, compression: TYPES[codec] });
  }
  await producer.disconnect();
}

/** A name that occurs more than once has a list of values. */
function grouped(headers) {
  const byName = {};
  for (const [name, value] of headers) byName[name] = [...(byName[name] ?? []), decode(value)];
  return byName;
}

async function consume({ connection, topics, count }) {
  const consumer = client(connection).consumer({
    groupId: `kafkajs-${process.pid}-${Date.now()}`,
    maxWaitTimeInMs: 50,
  });
  const records = Object.fromEntries(topics.map((topic) => [topic, []]));
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachMessage = async ({ topic, message }) => {
      records[topic].push({
        key: encode(message.key),
        value: encode(message.value),
        headers: Object.entries(message.headers ?? {}).flatMap(([name, values]) =>
          [values].flat().map((value) => [name, encode(value)]),
        ),
        timestampMs: Number(message.timestamp),
      });
      if (topics.every((name) => records[name].length >= count)) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  await answer({ records });
}

/**
 * kafkajs calls its own strategy `RoundRobinAssigner`. Its plan is that of the protocol's
 * `roundrobin`.
 */
const named = (assignor) => (config) => {
  const standard = PartitionAssigners.roundRobin(config);
  return {
    ...standard,
    name: assignor,
    protocol: ({ topics }) => ({
      name: assignor,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: standard.version,
        topics,
        userData: Buffer.alloc(0),
      }),
    }),
  };
};

async function member({ connection, group, topic, assignor }) {
  const consumer = client(connection).consumer({
    groupId: group,
    partitionAssigners: [named(assignor)],
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 100,
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    void answer({ assigned: payload.memberAssignment[topic] ?? [] });
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async () => {} });
  await ended;
  await consumer.disconnect();
}

const codecs = addCodecs();
const { do: what, ...asked } = await task;
if (what === "describe") await answer({ version: require("kafkajs/package.json").version, codecs });
if (what === "produce") await produce(asked).then(() => answer({}));
if (what === "consume") await consume(asked);
if (what === "member") await member(asked);
// kafkajs leaves timers behind.
process.exit(0);
