import { constants, gzipSync, zstdCompressSync } from "node:zlib";

import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";
import { describe, expect, test } from "vitest";

import { CODEC } from "#fixtures/record-batches.ts";

import { unpacked } from "./codecs.ts";
import { Unreadable } from "./unreadable.ts";

const TEXT = Buffer.from("incident ".repeat(10_000));

/** Does not compress well, and takes several blocks. */
const LONG = Buffer.from(
  Array.from({ length: 60_000 }, (_, index) => (index * 2654435761) % 4294967296).join(" "),
);
const MORE_BYTES_THAN_A_BATCH_MAY = 257 * 1024 * 1024;

async function unpack(codec: number, bytes: Buffer): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(unpacked(codec, bytes)));
}

/** Returns the reason of the refusal, and the number of bytes that came before. */
async function refusal(codec: number, bytes: Buffer) {
  let bytesBefore = 0;
  try {
    for await (const piece of unpacked(codec, bytes)) bytesBefore += piece.length;
  } catch (error) {
    if (error instanceof Unreadable) {
      return { bytesBefore, standstill: error.standstill, detail: error.message };
    }
    throw error;
  }
  return undefined;
}

describe.each([
  ["gzip", CODEC.gzip, gzipSync],
  ["Snappy", CODEC.snappy, snappyCompress],
  ["LZ4", CODEC.lz4, lz4Compress],
  ["zstd", CODEC.zstd, zstdCompressSync],
] as const)("%s", (_name, codec, compressed) => {
  test("is read", async () => {
    expect(await unpack(codec, compressed(TEXT))).toEqual(TEXT);
    expect(await unpack(codec, compressed(LONG))).toEqual(LONG);
  });

  test("refuses what is cut off anywhere", async () => {
    const bytes = compressed(LONG);
    for (const length of [1, bytes.length / 2, bytes.length * 0.9, bytes.length - 1]) {
      expect(await refusal(codec, bytes.subarray(0, length))).toMatchObject({
        standstill: "unreadable",
      });
    }
  });
});

test.each([
  ["gzip", CODEC.gzip, Array.from({ length: 10 }, (_, level) => gzipSync(TEXT, { level }))],
  [
    "zstd",
    CODEC.zstd,
    [1, 3, 9, 19, 22].map((level) =>
      zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
    ),
  ],
] as const)(
  "%s of every level is read, and of several members, one after another",
  async (_name, codec, members) => {
    for (const member of members) expect(await unpack(codec, member)).toEqual(TEXT);
    expect(await unpack(codec, Buffer.concat(members))).toEqual(
      Buffer.concat(members.map(() => TEXT)),
    );
  },
);

test.each([
  ["gzip", CODEC.gzip, gzipSync],
  ["zstd", CODEC.zstd, zstdCompressSync],
] as const)(
  "%s that unpacks to more than a batch may is refused, and comes in pieces until then",
  async (_name, codec, compressed) => {
    const bytes = compressed(Buffer.alloc(MORE_BYTES_THAN_A_BATCH_MAY));
    expect(await refusal(codec, bytes)).toMatchObject({
      standstill: "too-large",
      bytesBefore: 256 * 1024 * 1024,
    });
  },
);

test("pieces that must be unpacked at once are refused before memory is taken for them", async () => {
  const large = Buffer.alloc(65 * 1024 * 1024);
  expect(await refusal(CODEC.lz4, lz4Compress(large))).toMatchObject({
    standstill: "too-large",
    bytesBefore: 0,
  });
  expect(await refusal(CODEC.snappy, snappyCompress(large))).toMatchObject({
    standstill: "too-large",
    bytesBefore: 0,
  });
});

test("a compression that Kafka does not have is refused", async () => {
  expect(await refusal(5, TEXT)).toMatchObject({
    detail: "its compression 5 is none that Kafka has",
  });
});

test("several frames of LZ4 are read; one that ends with a block, and not with its end mark, is refused", async () => {
  const bytes = lz4Compress(LONG);
  expect(await unpack(CODEC.lz4, Buffer.concat([bytes, lz4Compress(TEXT)]))).toEqual(
    Buffer.concat([LONG, TEXT]),
  );
  const firstBlock = 7 + 4 + (bytes.readUInt32LE(7) % 0x80000000);
  expect(await refusal(CODEC.lz4, bytes.subarray(0, firstBlock))).toMatchObject({
    standstill: "unreadable",
  });
});

test("a block of Snappy that claims more than it can hold is refused before memory is taken for it", async () => {
  const claims2Gb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x01]);
  await expect(unpack(CODEC.snappy, claims2Gb)).rejects.toThrow("cannot hold the 2147483647");
});

describe("Snappy in the blocks of Java clients", () => {
  test("is put together again, of several streams too", async () => {
    const bytes = framed([TEXT.subarray(0, 32_768), TEXT.subarray(32_768)]);
    expect(await unpack(CODEC.snappy, bytes)).toEqual(TEXT);
    const twice = Buffer.concat([bytes, framed([LONG])]);
    expect(await unpack(CODEC.snappy, twice)).toEqual(Buffer.concat([TEXT, LONG]));
  });

  test("is refused when a block goes beyond the end", async () => {
    const bytes = framed([TEXT]);
    await expect(unpack(CODEC.snappy, bytes.subarray(0, -1))).rejects.toThrow(
      `a block ends at byte ${bytes.length} of ${bytes.length - 1}`,
    );
  });
});

function framed(blocks: readonly Buffer[]): Buffer {
  const header = Buffer.from("\x82SNAPPY\0\0\0\0\x01\0\0\0\x01", "latin1");
  const parts = blocks.map((block) => {
    const bytes = snappyCompress(block);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return Buffer.concat([header, ...parts]);
}
