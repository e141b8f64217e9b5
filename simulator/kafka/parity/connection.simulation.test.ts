import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetch } from "#simulator/kafka/apis/01-fetch.ts";
import { metadata } from "#simulator/kafka/apis/03-metadata.ts";
import { apis } from "#simulator/kafka/apis/registry.ts";
import { TestBed } from "./test-bed.ts";
import { apiVersions } from "./testing/versions.ts";
import { requestHeader } from "./wire-connection.ts";

let testBed: TestBed;
beforeAll(async () => {
  testBed = await TestBed.open();
});
afterAll(() => testBed[Symbol.asyncDispose]());

const frame = (apiKey: number, version: number, isFlexible: boolean, body = Buffer.alloc(0)) => {
  const header = requestHeader(apiKey, version, 7, isFlexible);
  return (body.length > 0 ? header.append(body) : header).prependLength().buffer;
};

test("the broker serves every version that the embedded one serves", async () => {
  const { apiKeys } = await testBed.any.call(apiVersions, 0, {});
  const theirs = new Map(apiKeys.map((one) => [one.apiKey, one]));
  const missing = [...apis.values()]
    .filter(({ key, versions }) => {
      const there = theirs.get(key);
      return there === undefined || there.maxVersion < versions[1];
    })
    .map(({ name }) => name);
  expect(missing).toEqual([]);
});

describe("ApiVersions", () => {
  test.each([0, 1, 2, 3, 4])("version %i", async (version) => {
    const answer = await testBed.any.call(apiVersions, version, named("kit", "1.0"));
    expect(answer.errorCode).toBe(0);
    expect(answer.apiKeys.length).toBeGreaterThan(20);
  });

  test("a version that does not exist yet is answered in version 0, with its own range only", async () => {
    const connection = await testBed.connect();
    connection.sendBytes(frame(apiVersions.key, 99, true, Buffer.from([1, 1, 0])));
    const answer = await connection.receive();
    expect(answer?.readInt16BE(4)).toBe(35);
    expect(answer?.readInt32BE(6)).toBe(1);
    expect(answer?.readInt16BE(10)).toBe(apiVersions.key);
    // The connection goes on.
    expect(await connection.call(apiVersions, 0, {})).toMatchObject({ errorCode: 0 });
  });

  test.each([
    ["", "1"],
    ["kit", ""],
    ["k i t", "1"],
    ["-kit", "1"],
  ])("client software %j of version %j is an invalid request", async (name, version) => {
    const answer = await testBed.any.call(apiVersions, 3, named(name, version));
    expect(answer).toMatchObject({ errorCode: 42, apiKeys: [] });
  });
});

describe("closes the connection", () => {
  test.each<[name: string, bytes: Buffer]>([
    ["an unknown API key", frame(9999, 0, false)],
    ["a version of Produce that is not there yet", frame(0, 99, true)],
    ["a version of Metadata that is not there yet", frame(3, 99, true)],
    ["a body cut short", frame(3, 4, false, Buffer.from([0, 0, 0, 3]))],
    ["a negative size", Buffer.from([255, 255, 255, 255])],
    ["a size above socket.request.max.bytes", Buffer.from([127, 255, 255, 255])],
    ["a frame without a header", Buffer.from([0, 0, 0, 1, 0])],
    ["another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ])("%s", async (_name, bytes) => {
    const connection = await testBed.connect();
    connection.sendBytes(bytes);
    expect(await connection.receive()).toBeUndefined();
  });
});

test("the requests of one connection are answered in the order in which they came", async () => {
  const topic = await testBed.createTopic();
  const connection = await testBed.connect(await testBed.leaderId(topic));
  const order: string[] = [];
  const waits = connection
    .call(fetch, 11, {
      replicaId: -1,
      maxWaitMs: 300,
      minBytes: 1,
      topics: [{ name: topic, partitions: [{ index: 0, fetchOffset: 0n, bytesMax: 1000 }] }],
    })
    .then(() => order.push("fetch"));
  const asks = connection.call(metadata, 4, { topics: [] }).then(() => order.push("metadata"));
  await Promise.all([waits, asks]);
  expect(order).toEqual(["fetch", "metadata"]);
});

test("bytes after the end of a request are ignored", async () => {
  const connection = await testBed.connect();
  connection.sendBytes(frame(3, 4, false, Buffer.from([0, 0, 0, 0, 1, 9, 9, 9])));
  expect((await connection.receive())?.readInt32BE(0)).toBe(7);
});

test("an unknown tagged field is skipped", async () => {
  const connection = await testBed.connect();
  // Metadata version 9: no topics, four booleans, then one field with tag 100 of three bytes.
  const body = Buffer.from([1, 0, 0, 0, 1, 100, 3, 7, 7, 7]);
  connection.sendBytes(frame(3, 9, true, body));
  expect((await connection.receive())?.readInt32BE(0)).toBe(7);
});

function named(clientSoftwareName: string, clientSoftwareVersion: string) {
  return { clientSoftwareName, clientSoftwareVersion };
}
