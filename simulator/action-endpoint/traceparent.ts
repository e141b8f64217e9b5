/** The identifiers in a `traceparent` header. Both are null without a valid one. */
export interface TraceIds {
  /** 32 hexadecimal digits in lower case. */
  readonly traceId: string | null;
  /** 16 hexadecimal digits in lower case. */
  readonly parentId: string | null;
}

/** Version 00 ends after the flags; a later one may go on after another hyphen. */
const TRACEPARENT =
  /^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?)$/;

const ZEROS = /^0+$/;

/** Reads the header as W3C Trace Context level 1 says. */
export function readTraceparent(header: string | null): TraceIds {
  const parts = TRACEPARENT.exec(header ?? "");
  const traceId = parts?.[1] ?? parts?.[3];
  const parentId = parts?.[2] ?? parts?.[4];
  const isValid =
    traceId !== undefined &&
    parentId !== undefined &&
    !ZEROS.test(traceId) &&
    !ZEROS.test(parentId);
  return isValid ? { traceId, parentId } : { traceId: null, parentId: null };
}
