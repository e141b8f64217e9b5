import { gzipSync, zstdCompressSync } from "node:zlib";

import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";
import kafkajs from "kafkajs";
import { beforeAll, describe, expect, it } from "vitest";

import { addCodecs } from "./kafka-codecs.ts";
import { toConsumerError } from "./kafka-errors.ts";

const { CompressionCodecs, CompressionTypes } = kafkajs;
const TEXT = Buffer.from("incident ".repeat(10_000));

/** Does not compress well, and takes several blocks. */
const LONG = Buffer.from(
  Array.from({ length: 60_000 }, (_, index) => (index * 2654435761) % 4294967296).join(" "),
);

beforeAll(() => addCodecs());

it("a frame of LZ4 that ends with a block, and not with its end mark, is refused", async () => {
  const bytes = lz4Compress(LONG);
  const firstBlock = 7 + 4 + (bytes.readUInt32LE(7) % 0x80000000);
  const decompressed = CompressionCodecs[CompressionTypes.LZ4]().decompress(
    bytes.subarray(0, firstBlock),
  );
  await expect(decompressed).rejects.toThrow("lz4, ");
});

it("a block of Snappy that claims more than it can hold is refused before memory is taken for it", async () => {
  const claims2Gb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x01]);
  await expect(unframed(claims2Gb)).rejects.toThrow("cannot hold the 2147483647");
});

it("a batch of zstd that holds more than a batch may is refused", async () => {
  const bytes = zstdCompressSync(Buffer.alloc(257 * 1024 * 1024));
  const decompressed = CompressionCodecs[CompressionTypes.ZSTD]().decompress(bytes);
  await expect(decompressed).rejects.toThrow("zstd, ");
});

describe.each([
  ["gzip", CompressionTypes.GZIP, gzipSync],
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

  it("refuses what is cut off anywhere, as what no patience mends", async () => {
    const bytes = compressed(LONG);
    for (const length of [1, bytes.length / 2, bytes.length * 0.9, bytes.length - 1]) {
      const cut = bytes.subarray(0, length);
      const failure = await CompressionCodecs[type]()
        .decompress(cut)
        .catch((error: unknown) => error);
      expect(toConsumerError(failure, "fetch").code).toBe("internal");
    }
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
