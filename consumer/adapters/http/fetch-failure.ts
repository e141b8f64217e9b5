/** Returns the error below fetch's "fetch failed": the one with a code, otherwise the deepest. */
export function rootFailure(error: unknown): Error & { code?: unknown } {
  let found: Error & { code?: unknown } = error instanceof Error ? error : new Error(String(error));
  while (found.code === undefined || typeof found.code !== "string") {
    const inner: unknown = found instanceof AggregateError ? found.errors[0] : found.cause;
    if (!(inner instanceof Error)) {
      break;
    }
    found = inner;
  }
  return found;
}

/** Describes the failure in one line for a person. */
export function failureReason(error: unknown): string {
  const root = rootFailure(error);
  const code = typeof root.code === "string" ? root.code : root.name;
  return root.message === "" || root.message.includes(code)
    ? root.message || code
    : `${code}: ${root.message}`;
}
