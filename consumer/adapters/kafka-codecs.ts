import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";

import {
  lz4Compress,
  lz4Decompress,
  snappyCompress,
  snappyDecompress,
} from "@platformatic/wasm-utils";
import kafkajs from "kafkajs";

/** What kafkajs asks of a compression. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const zstd = {
  compress: promisify<Buffer, Buffer>(zstdCompress),
  decompress: promisify<Buffer, Buffer>(zstdDecompress),
};

/** kafkajs 2.2.4 itself knows none and gzip: a topic may hold any of the five that the protocol has. */
export function addCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => codec(snappyCompress, unframedSnappy);
  CompressionCodecs[CompressionTypes.LZ4] = () => codec(lz4Compress, lz4Decompress);
  CompressionCodecs[CompressionTypes.ZSTD] = () => codec(zstd.compress, zstd.decompress);
}

function codec(
  compress: (bytes: Buffer) => Buffer | Promise<Buffer>,
  decompress: (bytes: Buffer) => Buffer | Promise<Buffer>,
): Codec {
  return {
    compress: async ({ buffer }) => await compress(buffer),
    decompress: async (buffer) => await decompress(buffer),
  };
}

/** What Java clients put in front of their blocks (org.xerial.snappy), each led by its length; others write one bare block. */
const XERIAL_MAGIC = Buffer.from("\x82SNAPPY\0", "latin1");
const XERIAL_HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

function unframedSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyDecompress(bytes);
  const blocks: Buffer[] = [];
  for (let position = XERIAL_HEADER_BYTES; position < bytes.length;) {
    const start = position + LENGTH_BYTES;
    position = start + bytes.readUInt32BE(position);
    if (position > bytes.length) {
      throw new RangeError(`snappy: a block ends at byte ${position} of ${bytes.length}`);
    }
    blocks.push(snappyDecompress(bytes.subarray(start, position)));
  }
  return Buffer.concat(blocks);
}
