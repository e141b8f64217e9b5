/** The specification of traceparent does not allow a parent id of zeros only. */
const NO_PARENT = "0".repeat(16);
const SMALLEST_PARENT = "1".padStart(16, "0");

/** Returns the trace id of a request, which is the first half of the action's key. */
export function traceIdOf(key: string): string {
  return key.slice(0, 32);
}

/** Returns the parent id of a request, which is the first half of the nonce of its claim. */
export function parentIdOf(nonce: string): string {
  const parent = nonce.slice(0, 16);
  return parent === NO_PARENT ? SMALLEST_PARENT : parent;
}
