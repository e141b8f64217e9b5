/** Returns a whole number in [0, limit). */
export type Below = (limit: number) => number;

/** Values at which lengths and counts break. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/**
 * Returns a copy with one to four mutations. Its first eight bytes (key, version, correlation id)
 * are mostly spared.
 */
export function mutated(frame: Buffer, below: Below): Buffer {
  let bytes = Buffer.from(frame);
  for (let left = 1 + below(4); left > 0; left -= 1) {
    const kept = below(20) === 0 ? 0 : Math.min(8, bytes.length);
    bytes = once(bytes, kept, below);
  }
  return bytes;
}

function once(bytes: Buffer<ArrayBuffer>, kept: number, below: Below): Buffer<ArrayBuffer> {
  const at = kept + below(Math.max(1, bytes.length - kept));
  const rest = bytes.length - at;
  switch (below(6)) {
    case 0:
      if (rest > 0) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << below(8)), at);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      if (rest >= 4) bytes.writeUInt32BE(EXTREMES[below(EXTREMES.length)] ?? 0, at);
      return bytes;
    case 3: {
      const random = Buffer.from(Array.from({ length: 1 + below(16) }, () => below(256)));
      return Buffer.concat([bytes.subarray(0, at), random, bytes.subarray(at)]);
    }
    case 4: {
      const again = bytes.subarray(at, at + 1 + below(32));
      return Buffer.concat([bytes.subarray(0, at), again, bytes.subarray(at)]);
    }
    default:
      if (rest > 0) bytes.writeUInt8(below(256), at);
      return bytes;
  }
}
