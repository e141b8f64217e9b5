import { protocolErrors } from "@platformatic/kafka";

/** Names of Apache Kafka's error table, such as `NOT_COORDINATOR`. */
export type ErrorName =
  | "CORRUPT_MESSAGE"
  | "FENCED_INSTANCE_ID"
  | "FENCED_LEADER_EPOCH"
  | "FETCH_SESSION_ID_NOT_FOUND"
  | "GROUP_ID_NOT_FOUND"
  | "GROUP_MAX_SIZE_REACHED"
  | "GROUP_SUBSCRIBED_TO_TOPIC"
  | "ILLEGAL_GENERATION"
  | "ILLEGAL_SASL_STATE"
  | "INCONSISTENT_GROUP_PROTOCOL"
  | "INVALID_CONFIG"
  | "INVALID_GROUP_ID"
  | "INVALID_PARTITIONS"
  | "INVALID_PRODUCER_EPOCH"
  | "INVALID_RECORD"
  | "INVALID_REPLICATION_FACTOR"
  | "INVALID_REQUEST"
  | "INVALID_REQUIRED_ACKS"
  | "INVALID_SESSION_TIMEOUT"
  | "INVALID_TIMESTAMP"
  | "INVALID_TOPIC_EXCEPTION"
  | "INVALID_TXN_STATE"
  | "LEADER_NOT_AVAILABLE"
  | "COORDINATOR_NOT_AVAILABLE"
  | "MEMBER_ID_REQUIRED"
  | "MESSAGE_TOO_LARGE"
  | "NONE"
  | "NON_EMPTY_GROUP"
  | "NOT_COORDINATOR"
  | "NOT_ENOUGH_REPLICAS"
  | "NOT_LEADER_OR_FOLLOWER"
  | "OFFSET_METADATA_TOO_LARGE"
  | "OFFSET_OUT_OF_RANGE"
  | "OUT_OF_ORDER_SEQUENCE_NUMBER"
  | "REBALANCE_IN_PROGRESS"
  | "SASL_AUTHENTICATION_FAILED"
  | "TOPIC_ALREADY_EXISTS"
  | "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"
  | "UNKNOWN_LEADER_EPOCH"
  | "UNKNOWN_MEMBER_ID"
  | "UNKNOWN_SERVER_ERROR"
  | "UNKNOWN_TOPIC_ID"
  | "UNKNOWN_TOPIC_OR_PARTITION"
  | "UNSUPPORTED_COMPRESSION_TYPE"
  | "UNSUPPORTED_SASL_MECHANISM"
  | "UNSUPPORTED_VERSION";

/** The number on the wire. Throws RangeError for a name that Apache Kafka does not know. */
export function errorCode(name: ErrorName | (string & {})): number {
  if (name === "NONE") return 0;
  const known = Object.hasOwn(protocolErrors, name) ? protocolErrors[name] : undefined;
  if (known === undefined) throw new RangeError(`unknown Kafka error name ${name}`);
  return known.code;
}
