import { randomBytes } from "node:crypto";
import type { Random } from "../ports.ts";

export function createSystemRandom(): Random {
  return {
    next: Math.random,
    nonce: () => randomBytes(16).toString("hex"),
  };
}
