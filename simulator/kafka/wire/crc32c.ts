import { crc32c as checksum, Reader } from "@platformatic/kafka";

/**
 * Returns the CRC-32C (RFC 3720). The library first copies bytes that are not in a buffer of its
 * own kind, 1 MB in half a millisecond.
 */
export function crc32c(bytes: Buffer): number {
  return checksum(Reader.from(bytes).buffer);
}
