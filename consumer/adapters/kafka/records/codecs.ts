import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Gunzip, ZstdDecompress } from "node:zlib";

import { lz4Decompress, snappyDecompress } from "@platformatic/wasm-utils";

import { messageOf } from "#consumer/errors.ts";
import { Unreadable } from "./unreadable.ts";

/** The most bytes that one batch may unpack to; a larger one is damaged, or meant to keep its reader busy. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
/**
 * The most bytes of one block of Snappy or one frame of LZ4, which are unpacked in one piece and in memory that is
 * kept.
 */
const PIECE_BYTES_MAX = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

interface Codec {
  readonly name: string;
  /** Yields the unpacked bytes, in pieces as large as may be in memory at a time. */
  readonly unpack: (bytes: Buffer) => AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** The codecs by their numbers in the attributes of a batch. */
const CODECS: Readonly<Record<number, Codec>> = {
  1: { name: "gzip", unpack: (bytes) => streamed(createGunzip({ chunkSize: CHUNK_BYTES }), bytes) },
  2: { name: "snappy", unpack: snappyBlocks },
  3: { name: "lz4", unpack: lz4Frames },
  4: { name: "zstd", unpack: zstdFrames },
};

/**
 * Yields the bytes of a compressed batch piece by piece, without holding those that were handed on. Throws Unreadable
 * for damage, for a codec that Kafka does not have, and for more bytes than one batch may hold.
 */
export async function* unpacked(codec: number, bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  const { name, unpack } = codecOf(codec);
  let total = 0;
  try {
    for await (const piece of unpack(bytes)) {
      total += piece.length;
      if (total > UNPACKED_BYTES_MAX) {
        throw new Unreadable(`more than ${UNPACKED_BYTES_MAX} bytes unpacked`, "too-large");
      }
      yield piece;
    }
  } catch (error) {
    const why = error instanceof Unreadable ? error.standstill : "unreadable";
    throw new Unreadable(`${name}, ${bytes.length} bytes: ${messageOf(error)}`, why);
  }
}

function codecOf(codec: number): Codec {
  const found = CODECS[codec];
  if (found === undefined) throw new Unreadable(`its compression ${codec} is none that Kafka has`);
  return found;
}

// ------------------------------------------------------------------------------------ gzip and zstd

/** Unpacks gzip. Node reads several members one after another. */
async function* streamed(
  stream: Gunzip | ZstdDecompress,
  bytes: Buffer,
): AsyncGenerator<Buffer, void, void> {
  stream.end(bytes);
  try {
    for await (const piece of stream) if (Buffer.isBuffer(piece)) yield piece;
  } finally {
    stream.destroy();
  }
}

/** Unpacks zstd. Node reads the first frame only, and says how long it was. */
async function* zstdFrames(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let position = 0; position < bytes.length;) {
    const stream = createZstdDecompress({ chunkSize: CHUNK_BYTES });
    yield* streamed(stream, bytes.subarray(position));
    if (stream.bytesWritten === 0) throw new RangeError(`no frame at byte ${position}`);
    position += stream.bytesWritten;
  }
}

// ------------------------------------------------------------------------------------------- snappy

/**
 * The header that Java clients put in front of their blocks (org.xerial.snappy), each of which begins with its
 * length; other clients write one bare block.
 */
const XERIAL_MAGIC = Buffer.from("\x82SNAPPY\0", "latin1");
const XERIAL_HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

function* snappyBlocks(bytes: Buffer): Generator<Buffer, void, void> {
  if (!startsFrames(bytes, 0)) {
    yield snappyBlock(bytes);
    return;
  }
  for (let position = 0; position < bytes.length;) {
    if (startsFrames(bytes, position)) {
      position += XERIAL_HEADER_BYTES;
      continue;
    }
    const start = position + LENGTH_BYTES;
    position = start + bytes.readUInt32BE(position);
    if (position > bytes.length) {
      throw new RangeError(`a block ends at byte ${position} of ${bytes.length}`);
    }
    yield snappyBlock(bytes.subarray(start, position));
  }
}

function startsFrames(bytes: Buffer, position: number): boolean {
  return bytes.subarray(position, position + XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
}

/**
 * The largest ratio of a block: a copy of at most 64 bytes takes three, so no block can hold more for each of its
 * bytes.
 */
const SNAPPY_RATIO_MAX = 22;

/**
 * Unpacks a block after checking the size that it claims, because the decoder allocates that much memory for good.
 */
function snappyBlock(bytes: Buffer): Buffer {
  let claimed = 0;
  for (const [index, byte] of bytes.subarray(0, 5).entries()) {
    claimed += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  if (claimed > SNAPPY_RATIO_MAX * bytes.length) {
    throw new RangeError(`${bytes.length} bytes cannot hold the ${claimed} that they claim`);
  }
  requirePiece(claimed);
  return snappyDecompress(bytes);
}

function requirePiece(unpackedBytes: number): void {
  if (unpackedBytes <= PIECE_BYTES_MAX) return;
  throw new Unreadable(
    `a piece unpacks to ${unpackedBytes} bytes, more than ${PIECE_BYTES_MAX}`,
    "too-large",
  );
}

// ---------------------------------------------------------------------------------------------- lz4

// This is the frame format of LZ4, version 1.6.
const LZ4_MAGIC = 0x184d2204;
const LZ4_FLAGS_AT = 4;
const LZ4_SIZES_AT = 5;
const LZ4_HEADER_BYTES = 7;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
const STORED_BIT = 0x80000000;
/** The sizes of blocks, by bits 4 to 6 of the descriptor byte. */
const LZ4_BLOCK_BYTES_MAX: Readonly<Record<number, number>> = {
  4: 65_536,
  5: 262_144,
  6: 1_048_576,
  7: 4_194_304,
};
/** The largest ratio of a block: none can hold more than this for each of its bytes. */
const LZ4_RATIO_MAX = 255;

function* lz4Frames(bytes: Buffer): Generator<Buffer, void, void> {
  for (let position = 0; position < bytes.length;) {
    const frame = bytes.subarray(position);
    const { end, unpackedBytesMax } = measureLz4(frame);
    requirePiece(unpackedBytesMax);
    yield lz4Decompress(frame.subarray(0, end));
    position += end;
  }
}

/**
 * Finds the end of a frame, and requires its end mark, because the decoder takes a frame that ends too early for a
 * shorter one. Throws beyond the end.
 */
function measureLz4(bytes: Buffer): { end: number; unpackedBytesMax: number } {
  if (bytes.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError("no frame");
  const flags = bytes.readUInt8(LZ4_FLAGS_AT);
  const blockBytesMax = LZ4_BLOCK_BYTES_MAX[(bytes.readUInt8(LZ4_SIZES_AT) >> 4) & 0b111];
  if (blockBytesMax === undefined) throw new RangeError("a frame of no known block size");
  const checksumBytes = (flags & BLOCK_CHECKSUM) === 0 ? 0 : 4;
  const sizeBytes = (flags & CONTENT_SIZE) === 0 ? 0 : 8;
  let position = LZ4_HEADER_BYTES + sizeBytes + ((flags & DICTIONARY) === 0 ? 0 : 4);
  let unpackedBytesMax = 0;
  for (;;) {
    const length = bytes.readUInt32LE(position) % STORED_BIT;
    position += LENGTH_BYTES;
    if (length === 0) break;
    unpackedBytesMax += Math.min(blockBytesMax, length * LZ4_RATIO_MAX);
    position += length + checksumBytes;
  }
  const end = position + ((flags & CONTENT_CHECKSUM) === 0 ? 0 : 4);
  if (end > bytes.length) throw new RangeError(`a frame ends at byte ${end} of ${bytes.length}`);
  return { end, unpackedBytesMax };
}
