import { Writer } from "@platformatic/kafka";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apis } from "#simulator/kafka/apis/registry.ts";
import { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import { clusterSettings } from "#simulator/kafka/cluster/options.ts";
import { VirtualTimers } from "#simulator/kafka/testing/virtual-timers.ts";
import { MalformedRequest, RequestReader } from "./reader.ts";

describe("a length that is too large is refused before it is read", () => {
  test.each<[name: string, bytes: number[], read: (reader: RequestReader) => unknown]>([
    ["an array of more elements than bytes", [0, 0, 1, 0], (reader) => reader.count(false)],
    ["a compact array of more elements than bytes", [200, 1], (reader) => reader.count(true)],
    ["an array of -2 elements", [255, 255, 255, 254], (reader) => reader.count(false)],
    ["a string beyond the end", [0, 9, 65], (reader) => reader.string(false)],
    ["a string of -2 bytes", [255, 254, 65], (reader) => reader.string(false)],
    ["bytes beyond the end", [0, 0, 0, 9, 1], (reader) => reader.bytes(false)],
    ["a varint of six bytes", [255, 255, 255, 255, 255, 1], (reader) => reader.unsignedVarint()],
    ["a varint above 31 bits", [255, 255, 255, 255, 15], (reader) => reader.unsignedVarint()],
    ["a tagged field beyond the end", [1, 0, 9, 1], (reader) => reader.skipTaggedFields()],
    ["a number beyond the end", [0, 0, 0], (reader) => reader.int32()],
  ])("%s", (_name, bytes, read) => {
    expect(() => read(RequestReader.from(Buffer.from(bytes)))).toThrow(MalformedRequest);
  });
});

test("unsigned varints are read as they are written", () => {
  fc.assert(
    fc.property(fc.nat(), (value) => {
      const written = Writer.create().appendUnsignedVarInt(value).buffer;
      expect(RequestReader.from(written).unsignedVarint()).toBe(value);
    }),
  );
});

test("arbitrary bytes are either read as a request or refused as malformed", () => {
  const cluster = new ClusterState(clusterSettings({}), {}, new VirtualTimers());
  const request = fc.constantFrom(...apis.values()).chain((api) =>
    fc.record({
      api: fc.constant(api),
      version: fc.integer({ min: api.versions[0], max: api.versions[1] }),
      body: fc.uint8Array({ maxLength: 200 }),
    }),
  );
  const seen = { read: 0, malformed: 0 };
  fc.assert(
    fc.property(request, ({ api, version, body }) => {
      try {
        api.read(RequestReader.from(Buffer.from(body)), version, cluster);
        seen.read += 1;
      } catch (error) {
        if (!(error instanceof MalformedRequest)) throw error;
        seen.malformed += 1;
      }
    }),
    { numRuns: 5000 },
  );
  expect(seen.read).toBeGreaterThan(0);
  expect(seen.malformed).toBeGreaterThan(0);
});
