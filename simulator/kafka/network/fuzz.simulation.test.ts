import { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { callbackify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as platformatic from "@platformatic/kafka";
import { Connection, Writer } from "@platformatic/kafka";
import type { Callback, ResponseParser } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { seededRandom } from "#e2e/base/random.ts";
import { CASES } from "#simulator/kafka/apis/testing/cases.ts";
import type { Api } from "#simulator/kafka/apis/define.ts";
import { prepare } from "#simulator/kafka/apis/testing/prepared.ts";
import type { Prepared } from "#simulator/kafka/apis/testing/prepared.ts";
import { apis } from "#simulator/kafka/apis/registry.ts";
import { ANONYMOUS, Session } from "#simulator/kafka/security/session.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { serveConnection } from "./connection.ts";
import { mutated } from "./testing/mutations.ts";

const FRAMES = Number(process.env["FUZZ_FRAMES"] ?? 5000);
const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
/**
 * A new cluster is made after this many frames, so that what they created (topics, groups) is
 * removed.
 */
const FRAMES_PER_CLUSTER = 5000;
const FRAMES_AT_ONCE = 50;
const HEAP_GROWTH_BYTES_MAX = 64 * 1024 * 1024;

setFlagsFromString("--expose_gc");
const collectGarbage: () => void = runInNewContext("gc");

/** A client that records what it would send. */
class Recorder extends Connection {
  sent: { readonly key: number; readonly version: number; readonly body: Buffer } | undefined;

  override send<T>(
    key: number,
    version: number,
    createPayload: () => Writer | Promise<Writer>,
    _parse: ResponseParser<T>,
    _taggedRequest: boolean,
    _taggedResponse: boolean,
    callback: Callback<T>,
  ): void {
    const record = async (): Promise<never> => {
      const payload = await createPayload();
      this.sent = { key, version, body: payload.buffer };
      throw new Error("recorded");
    };
    callbackify(record)((error) => callback(error));
  }
}

/**
 * Returns one valid frame, without its size, of every API and version that the client can speak.
 */
async function validFrames(): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  for (const api of apis.values()) {
    const covered = frames.length;
    for (let version = api.versions[0]; version <= api.versions[1]; version += 1) {
      const send = clientCall(api, version);
      if (send === undefined) continue;
      const recorder = new Recorder("recorder");
      // A case may begin a transaction, so each has a cluster of its own.
      const prepared = await prepare();
      const { args } = CASES[api.name]?.(prepared, version) ?? { args: [] };
      prepared.cluster.close();
      await send(recorder, ...args).catch(() => undefined);
      if (recorder.sent !== undefined) frames.push(frameOf(api, version, recorder.sent.body));
    }
    if (frames.length === covered) throw new Error(`no frame of ${api.name}`);
  }
  return frames;
}

function frameOf(api: Api, version: number, body: Buffer): Buffer {
  const header = Writer.create()
    .appendInt16(api.key)
    .appendInt16(version)
    .appendInt32(1)
    .appendString("fuzz", false);
  if (api.format(version).flexible) header.appendUnsignedVarInt(0);
  return Buffer.concat([header.buffer, body]);
}

type ClientCall = (connection: Connection, ...args: readonly unknown[]) => Promise<unknown>;

function clientCall({ name }: Api, version: number): ClientCall | undefined {
  const exported: unknown = Reflect.get(
    platformatic,
    `${name[0]?.toLowerCase()}${name.slice(1)}V${version}`,
  );
  return isCall(exported) ? exported.api.async : undefined;
}

function isCall(value: unknown): value is { readonly api: { readonly async: ClientCall } } {
  return typeof value === "object" && value !== null && "api" in value;
}

function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test(
  `${FRAMES} mutated frames of every API and version, seed ${SEED}: no crash, no leak`,
  { timeout: 60_000 + FRAMES * 3 },
  async ({ annotate }) => {
    const random = seededRandom(SEED, "fuzz");
    const failures: string[] = [];
    const seen = { answered: 0, closed: 0 };
    const frames = await validFrames();
    let heapBefore = 0;
    for (let left = FRAMES; left > 0; left -= FRAMES_PER_CLUSTER) {
      const prepared = await prepare();
      const { cluster } = prepared;
      cluster.events.subscribe((event) => {
        if (event.type === "internal-error") failures.push(`${event.api}: ${event.reason}`);
      });
      for (let sent = 0; sent < Math.min(left, FRAMES_PER_CLUSTER); sent += FRAMES_AT_ONCE) {
        const sockets = Array.from({ length: FRAMES_AT_ONCE }, () => {
          const frame = mutated(random.pick(frames), (limit) => random.below(limit));
          return serve(prepared, Writer.create().append(frame).prependLength().buffer, seen);
        });
        await setImmediate();
        // A waiting request is answered, or its session ends.
        advance(prepared);
        await setImmediate();
        for (const socket of sockets) socket.destroy();
      }
      cluster.close();
      // The first cluster warms up everything.
      if (heapBefore === 0) heapBefore = heapBytes();
    }
    const growthBytes = heapBytes() - heapBefore;
    await annotate(
      `${seen.answered} answered, ${seen.closed} closed, the heap grew by ${growthBytes} bytes`,
    );
    expect(failures).toEqual([]);
    expect(seen.answered).toBeGreaterThan(FRAMES / 20);
    expect(seen.closed).toBeGreaterThan(FRAMES / 20);
    expect(growthBytes).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
  },
);

/** Serves the frame on a connection of its own, over a socket that leads nowhere. */
function serve({ cluster }: Prepared, bytes: Buffer, seen: { answered: number; closed: number }) {
  const socket = new Socket();
  socket.write = () => {
    seen.answered += 1;
    return true;
  };
  socket.destroySoon = () => {
    seen.closed += 1;
    socket.destroy();
  };
  const place = { node: 1, listener: "main", connection: 1, peer: "fuzz" };
  serveConnection(socket, cluster, new Session(cluster.users, [], ANONYMOUS), place);
  socket.emit("data", bytes);
  return socket;
}

function advance({ cluster }: Prepared): void {
  const { timers } = cluster;
  if (!(timers instanceof VirtualTimers)) throw new TypeError("a prepared cluster stands still");
  timers.advance(3_600_000);
}
