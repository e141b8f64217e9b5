/** The specification allows no identifier of zeros only. */
const NO_PARENT = "0".repeat(16);
const SMALLEST_PARENT = "1".padStart(16, "0");

/**
 * Returns the `traceparent` of one attempt as W3C Trace Context level 1 defines it. The trace id is the first 32 hex
 * digits of the action's key, so all attempts of an action are one trace. The parent id is the first 16 hex digits of
 * the nonce of the claim, so a received request can be tied to the run that sent it.
 */
export function traceparent(key: string, nonce: string): string {
  const parent = nonce.slice(0, 16);
  return `00-${key.slice(0, 32)}-${parent === NO_PARENT ? SMALLEST_PARENT : parent}-01`;
}
