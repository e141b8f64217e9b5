import { createHash, randomInt } from "node:crypto";

/**
 * Kubernetes' alphabet for generated names: it has no vowels and no characters that are easily
 * confused.
 */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Returns the `pod-template-hash` of a template. Equal templates have equal hashes. */
export function hashTemplate(template: unknown): string {
  const digest = createHash("sha256")
    .update(JSON.stringify(sortKeys(template)))
    .digest();
  return [...digest.subarray(0, 10)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** Returns five characters for the name of a pod. */
export function randomSuffix(): string {
  return Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sortKeys);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  );
}
