import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";

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

/** Of one batch: what claims to be larger is damage, or meant to fill the memory. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;
const BOUNDED = { maxOutputLength: DECOMPRESSED_BYTES_MAX };

/** A compressed batch that cannot be read. It has no cause, since kafkajs would keep that and drop this. */
class DamagedBatch extends Error {
  override readonly name = "DamagedBatch";
}

type Bytes = Buffer | Promise<Buffer>;

const gzipped = promisify<Buffer, Buffer>(gzip);
const zstdCompressed = promisify<Buffer, Buffer>(zstdCompress);
const unzip = promisify(gunzip);
const unzstd = promisify(zstdDecompress);

/**
 * kafkajs 2.2.4 itself knows none and gzip, without a bound: a topic may hold any of the five that the protocol has. What
 * is damaged throws `DamagedBatch`.
 */
export function addCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () =>
    codec("gzip", gzipped, (bytes) => unzip(bytes, BOUNDED));
  CompressionCodecs[CompressionTypes.Snappy] = () => codec("snappy", snappyCompress, unframed);
  CompressionCodecs[CompressionTypes.LZ4] = () => codec("lz4", lz4Compress, wholeLz4);
  CompressionCodecs[CompressionTypes.ZSTD] = () =>
    codec("zstd", zstdCompressed, (bytes) => unzstd(bytes, BOUNDED));
}

function codec(
  name: string,
  compress: (bytes: Buffer) => Bytes,
  decompress: (bytes: Buffer) => Bytes,
): Codec {
  return {
    compress: async ({ buffer }) => await compress(buffer),
    decompress: async (buffer) => {
      try {
        return await decompress(buffer);
      } catch (error) {
        // oxlint-disable-next-line preserve-caught-error -- kafkajs would keep the cause, and drop what names it
        throw new DamagedBatch(`${name}, ${buffer.length} bytes: ${String(error)}`);
      }
    },
  };
}

// ------------------------------------------------------------------------------------------- snappy

/** What Java clients put in front of their blocks (org.xerial.snappy), each led by its length; others write one bare block. */
const XERIAL_MAGIC = Buffer.from("\x82SNAPPY\0", "latin1");
const XERIAL_HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

function unframed(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyBlock(bytes);
  const blocks: Buffer[] = [];
  for (let position = XERIAL_HEADER_BYTES; position < bytes.length;) {
    const start = position + LENGTH_BYTES;
    position = start + bytes.readUInt32BE(position);
    if (position > bytes.length) {
      throw new RangeError(`a block ends at byte ${position} of ${bytes.length}`);
    }
    blocks.push(snappyBlock(bytes.subarray(start, position)));
  }
  return Buffer.concat(blocks);
}

/** A copy of at most 64 bytes takes three: no block can hold more than this for each of its bytes. */
const SNAPPY_RATIO_MAX = 22;

/** The decoder takes the memory that the block claims to need, for good: so the claim is looked at first. */
function snappyBlock(bytes: Buffer): Buffer {
  let claimed = 0;
  for (const [index, byte] of bytes.subarray(0, 5).entries()) {
    claimed += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  if (claimed > SNAPPY_RATIO_MAX * bytes.length) {
    throw new RangeError(`${bytes.length} bytes cannot hold the ${claimed} that they claim`);
  }
  return snappyDecompress(bytes);
}

// ---------------------------------------------------------------------------------------------- lz4

// The frame format of LZ4, version 1.6.
const LZ4_MAGIC = 0x184d2204;
const LZ4_FLAGS_AT = 4;
const LZ4_HEADER_BYTES = 7;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;
const STORED_BIT = 0x80000000;

/** The decoder takes a frame that ends too early for a shorter one: so it is looked whether it has its end mark. */
function wholeLz4(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError("no frame");
  const flags = bytes.readUInt8(LZ4_FLAGS_AT);
  let position =
    LZ4_HEADER_BYTES +
    ((flags & CONTENT_SIZE) === 0 ? 0 : 8) +
    ((flags & DICTIONARY) === 0 ? 0 : 4);
  for (;;) {
    // Throws beyond the end.
    const length = bytes.readUInt32LE(position) % STORED_BIT;
    if (length === 0) return lz4Decompress(bytes);
    position += LENGTH_BYTES + length + ((flags & BLOCK_CHECKSUM) === 0 ? 0 : 4);
  }
}
