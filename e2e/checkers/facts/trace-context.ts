/** The trace id of a request: the first half of the action's key. */
export function traceIdOf(key: string): string {
  return key.slice(0, 32);
}

/** The parent id of a request: the first half of the nonce of the claim that it rests on. */
export function parentIdOf(nonce: string): string {
  return nonce.slice(0, 16);
}
