import { ConsumerError } from "#consumer/errors.ts";
import type { ErrorCode } from "#consumer/errors.ts";

/** Kafka's names of errors, which kafkajs has in `type`. */
const CODE_OF_TYPE: Readonly<Record<string, ErrorCode>> = {
  SASL_AUTHENTICATION_FAILED: "broker-authentication",
  ILLEGAL_SASL_STATE: "broker-authentication",
  UNSUPPORTED_SASL_MECHANISM: "broker-authentication",
  TOPIC_AUTHORIZATION_FAILED: "broker-denied",
  GROUP_AUTHORIZATION_FAILED: "broker-denied",
  CLUSTER_AUTHORIZATION_FAILED: "broker-denied",
  MESSAGE_TOO_LARGE: "record-too-large",
  RECORD_LIST_TOO_LARGE: "record-too-large",
};

const CODE_OF_NAME: Readonly<Record<string, ErrorCode>> = {
  KafkaJSSASLAuthenticationError: "broker-authentication",
};

const LOST_TYPES = new Set([
  "ILLEGAL_GENERATION",
  "REBALANCE_IN_PROGRESS",
  "UNKNOWN_MEMBER_ID",
  "FENCED_INSTANCE_ID",
]);

/** Turns an error of a broker into a ConsumerError; a ConsumerError is returned as it is. */
export function toConsumerError(error: unknown, doing: string): ConsumerError {
  const chain = causesOf(error);
  const own = chain.find((cause) => cause instanceof ConsumerError);
  if (own !== undefined) {
    return own;
  }
  const code = chain.map(codeOf).find((found) => found !== undefined) ?? "broker-unavailable";
  const message = chain[0]?.message ?? String(error);
  return new ConsumerError(code, `broker: ${doing}: ${message}`, { cause: error });
}

/** Returns true when the broker says that this member does not own its partitions any more. */
export function saysAssignmentLost(error: unknown): boolean {
  return causesOf(error).some((cause) => LOST_TYPES.has(typeOf(cause)));
}

/** Returns Kafka's name of the error, or the empty string. */
function typeOf(error: Error): string {
  const type: unknown = Reflect.get(error, "type");
  return typeof type === "string" ? type : "";
}

function codeOf(error: Error): ErrorCode | undefined {
  return CODE_OF_TYPE[typeOf(error)] ?? CODE_OF_NAME[error.name];
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  let found = error;
  while (found instanceof Error && !chain.includes(found)) {
    chain.push(found);
    found = found.cause;
  }
  return chain;
}
