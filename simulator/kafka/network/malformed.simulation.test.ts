import { connect } from "node:net";
import type { Socket } from "node:net";
import { Producer, Writer } from "@platformatic/kafka";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { apis } from "#simulator/kafka/apis/registry.ts";
import type { KafkaEvent } from "#simulator/kafka/cluster/broker-events.ts";
import { startKafka } from "#simulator/kafka/cluster/start-kafka.ts";
import type { KafkaCluster } from "#simulator/kafka/cluster/kafka-cluster.ts";

const header = (apiKey: number, apiVersion: number): Writer =>
  Writer.create()
    .appendInt16(apiKey)
    .appendInt16(apiVersion)
    .appendInt32(42)
    .appendString("client", false);

const framed = (content: Buffer): Buffer => Writer.create().append(content).prependLength().buffer;

/** ApiVersions version 0. Its answer shows that the broker lives. */
const PING = framed(header(18, 0).buffer);

/** Builds a Fetch version 4 of partition 0 from its beginning. */
function fetchRequest(topic: string): Buffer {
  const body = header(1, 4)
    .appendInt32(-1)
    .appendInt32(0)
    .appendInt32(0)
    .appendInt32(10_000_000)
    .appendInt8(0)
    .appendInt32(1)
    .appendString(topic, false)
    .appendInt32(1)
    .appendInt32(0)
    .appendInt64(0n)
    .appendInt32(10_000_000);
  return framed(body.buffer);
}

async function dial(cluster: KafkaCluster): Promise<Socket> {
  const [host, port] = cluster.bootstrap()[0]?.split(":") ?? [];
  const socket = connect({ host: host ?? "", port: Number(port) });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Returns what the broker sends until it closes or until a whole frame is there. */
function receive(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const isWhole = received.length >= 4 && received.length >= 4 + received.readInt32BE();
      if (isWhole) resolve(received);
    });
    socket.once("close", () => resolve(received));
  });
}

async function expectAlive(cluster: KafkaCluster): Promise<void> {
  const socket = await dial(cluster);
  socket.write(PING);
  const answer = await receive(socket);
  socket.destroy();
  expect(answer.readInt32BE(4)).toBe(42);
}

const size = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

test.each<[name: string, bytes: Buffer, reason: RegExp]>([
  ["a frame above the limit", size(2_000_000), /frame of 2000000 bytes/],
  ["a frame of negative size", size(-1), /frame of -1 bytes/],
  ["a frame without a header", framed(Buffer.from([0])), /bytes wanted/],
  ["an unknown API key", framed(header(9999, 0).buffer), /unknown API key 9999/],
  ["a version of Produce before 3", framed(header(0, 2).buffer), /Produce has no version 2/],
  ["a version that does not exist yet", framed(header(1, 99).buffer), /Fetch has no version 99/],
  [
    "a body cut short",
    framed(header(3, 4).appendInt32(3).buffer),
    /array of 3 elements in 0 bytes/,
  ],
  ["a request of another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /frame of \d+ bytes/],
])("%s closes the connection, and the broker goes on", async (_name, bytes, reason) => {
  await using cluster = await startKafka({ requestBytesMax: 1_000_000 });
  const events: KafkaEvent[] = [];
  cluster.onEvent((event) => void events.push(event));
  const socket = await dial(cluster);
  socket.write(bytes);
  expect(await receive(socket)).toHaveLength(0);
  await expect
    .poll(() => events.at(-1))
    .toMatchObject({ type: "connection-closed", reason: expect.stringMatching(reason) });
  await expectAlive(cluster);
});

test("an ApiVersions of the future is answered in version 0, and the connection goes on", async () => {
  await using cluster = await startKafka();
  const socket = await dial(cluster);
  socket.write(framed(header(18, 99).buffer));
  const answer = await receive(socket);
  // The answer has the correlation id, UNSUPPORTED_VERSION, and the versions to choose from.
  expect(answer.readInt32BE(4)).toBe(42);
  expect(answer.readInt16BE(8)).toBe(35);
  expect(answer.readInt32BE(10)).toBe(1);
  const next = receive(socket);
  socket.write(PING);
  expect((await next).readInt16BE(8)).toBe(0);
  socket.destroy();
});

test("a client that sends only a size costs no memory, and unauthenticated ones have a lower limit", async () => {
  await using cluster = await startKafka({
    listeners: [{ name: "sasl", sasl: { mechanisms: ["PLAIN"] } }],
  });
  const socket = await dial(cluster);
  socket.write(size(524_289));
  expect(await receive(socket)).toHaveLength(0);
  await expectAlive(cluster);
});

test("a client that never reads its answers receives no more than the socket buffers", async () => {
  const topics = [{ name: "t", config: { "max.message.bytes": "2000000" } }];
  await using cluster = await startKafka({ topics });
  const [bootstrap = ""] = cluster.bootstrap();
  const producer = new Producer({ clientId: "p", bootstrapBrokers: [bootstrap] });
  const value = Buffer.alloc(1_000_000);
  await producer.send({ messages: [{ topic: "t", value }] });
  await producer.close();
  let served = 0;
  cluster.onEvent((event) => {
    if (event.type === "request" && event.api === "Fetch") served += 1;
  });
  const socket = await dial(cluster);
  socket.pause();
  const request = fetchRequest("t");
  const count = 120;
  for (let sent = 0; sent < count; sent += 1) socket.write(request);
  // Loopback buffers a few megabytes. There the broker stops.
  let before = -1;
  await expect
    .poll(
      () => {
        const isStill = served > 0 && served === before;
        before = served;
        return isStill;
      },
      { timeout: 20_000, interval: 500 },
    )
    .toBe(true);
  expect(served).toBeLessThan(count / 2);
  const answered = new Promise<number>((resolve) => {
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= count * value.length) resolve(served);
    });
  });
  socket.resume();
  expect(await answered).toBe(count);
  socket.destroy();
}, 60_000);

test("frames of random bytes never do more than close their connection", async () => {
  await using cluster = await startKafka({ topics: ["t"] });
  const failures: KafkaEvent[] = [];
  cluster.onEvent((event) => {
    if (event.type === "internal-error") failures.push(event);
  });
  const request = fc
    .constantFrom(...apis.values())
    .chain((api) =>
      fc.tuple(
        fc.constant(api.key),
        fc.integer({ min: api.versions[0], max: api.versions[1] }),
        fc.uint8Array({ maxLength: 100 }),
      ),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (requests) => {
      const socket = await dial(cluster);
      for (const [key, version, body] of requests) {
        socket.write(framed(Buffer.concat([header(key, version).buffer, body])));
      }
      socket.end();
      await new Promise((resolve) => {
        socket.once("close", resolve);
        socket.resume();
      });
    }),
    { numRuns: 100 },
  );
  expect(failures).toEqual([]);
  await expectAlive(cluster);
});
