import { randomFillSync } from "node:crypto";
import type { Random } from "#consumer/ports.ts";

const NONCE_BYTES = 16;
const NONCES_AT_ONCE = 256;

export function createSystemRandom(): Random {
  const pool = Buffer.alloc(NONCE_BYTES * NONCES_AT_ONCE);
  let used = pool.length;
  return {
    next: Math.random,
    nonce() {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      used += NONCE_BYTES;
      return pool.toString("hex", used - NONCE_BYTES, used);
    },
  };
}
