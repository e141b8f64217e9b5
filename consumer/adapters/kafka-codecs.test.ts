import { zstdCompressSync } from "node:zlib";

import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";
import kafkajs from "kafkajs";
import { beforeAll, describe, expect, it } from "vitest";

import { addCodecs } from "./kafka-codecs.ts";

const { CompressionCodecs, CompressionTypes } = kafkajs;
const TEXT = Buffer.from("incident ".repeat(10_000));

beforeAll(() => addCodecs());

describe.each([
  ["Snappy", CompressionTypes.Snappy, snappyCompress],
  ["LZ4", CompressionTypes.LZ4, lz4Compress],
  ["zstd", CompressionTypes.ZSTD, zstdCompressSync],
] as const)("%s", (_name, type, compressed) => {
  it("is read", async () => {
    expect(await CompressionCodecs[type]().decompress(compressed(TEXT))).toEqual(TEXT);
  });

  it("is written, and smaller", async () => {
    const codec = CompressionCodecs[type]();
    const bytes: Buffer = await codec.compress({ buffer: TEXT });
    expect(bytes.length).toBeLessThan(TEXT.length / 10);
    expect(await codec.decompress(bytes)).toEqual(TEXT);
  });

  it("refuses what is cut off", async () => {
    const bytes = compressed(TEXT);
    const cut = bytes.subarray(0, bytes.length / 2);
    await expect(CompressionCodecs[type]().decompress(cut)).rejects.toBeInstanceOf(Error);
  });
});

describe("Snappy in the blocks of Java clients", () => {
  it("is put together again", async () => {
    const bytes = framed([TEXT.subarray(0, 32_768), TEXT.subarray(32_768)]);
    expect(await unframed(bytes)).toEqual(TEXT);
  });

  it("is refused when a block goes beyond the end", async () => {
    const bytes = framed([TEXT]);
    await expect(unframed(bytes.subarray(0, -1))).rejects.toThrow(
      `a block ends at byte ${bytes.length} of ${bytes.length - 1}`,
    );
  });
});

async function unframed(bytes: Buffer): Promise<unknown> {
  return await CompressionCodecs[CompressionTypes.Snappy]().decompress(bytes);
}

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
