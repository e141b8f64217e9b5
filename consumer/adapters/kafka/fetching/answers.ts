import { createRequire } from "node:module";

import kafkajs from "kafkajs";

import type { Standstill } from "#consumer/ports.ts";

/** The reason why a partition cannot be read at present. */
export type PartitionFailure = Pick<Standstill, "cause" | "detail">;

interface Request {
  readonly response: { readonly parse: (answer: unknown) => Promise<unknown> };
}

type CreateRequest = (given: object) => Request;

interface Requests {
  protocol: (choice: { readonly version: number }) => CreateRequest;
}

interface PartitionAnswers {
  readonly responses: readonly {
    readonly partitions: readonly { readonly errorCode: number }[];
  }[];
}

interface MetadataAnswer {
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    readonly partitionMetadata: readonly { partitionErrorCode: number; leader: number }[];
  }[];
}

const LEADER_NOT_AVAILABLE = 5;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
/** The code for a missing replica; the partition has its leader all the same. */
const REPLICA_NOT_AVAILABLE = 9;
const NO_LEADER = -1;

/**
 * Patches src/protocol/requests: there, the error of one partition fails the whole answer, and with it every other
 * partition. Here an answer keeps the errors of its partitions, and the caller looks at each; errors of the whole
 * answer are thrown as before.
 */
export function guardAnswers(): void {
  for (const api of ["fetch", "listOffsets", "offsetFetch"]) replaceParse(api, keepPartitionErrors);
  replaceParse("metadata", keepMissing);
}

type Parse = (answer: unknown) => Promise<unknown>;

function replaceParse(api: string, replace: (answer: unknown, parse: Parse) => Promise<unknown>) {
  const path = `kafkajs/src/protocol/requests/${api}`;
  const requests: unknown = createRequire(import.meta.url)(path);
  if (!isRequests(requests)) throw new TypeError(`${path} has no protocol: is it version 2.2.4?`);
  const { protocol } = requests;
  requests.protocol = (choice) => {
    const create = protocol(choice);
    return (given) => {
      const request = create(given);
      const { parse } = request.response;
      const response = { ...request.response, parse: (answer: unknown) => replace(answer, parse) };
      return { ...request, response };
    };
  };
}

function isRequests(loaded: unknown): loaded is Requests {
  return (
    typeof loaded === "object" &&
    loaded !== null &&
    typeof Reflect.get(loaded, "protocol") === "function"
  );
}

async function keepPartitionErrors(answer: unknown, parse: Parse): Promise<unknown> {
  if (!hasPartitions(answer)) return parse(answer);
  const responses = answer.responses.map((topic) => ({
    ...topic,
    partitions: topic.partitions.filter(({ errorCode }) => errorCode === 0),
  }));
  await parse({ ...answer, responses });
  return answer;
}

function hasPartitions(answer: unknown): answer is PartitionAnswers {
  return typeof answer === "object" && answer !== null && "responses" in answer;
}

/**
 * Keeps what is missing in the answer: a partition without a leader gets the leader -1, and a topic of several that
 * does not exist has no partitions.
 */
async function keepMissing(answer: unknown, parse: Parse): Promise<unknown> {
  if (!isMetadata(answer)) return parse(answer);
  const isThere = answer.topicMetadata.some(({ topicErrorCode }) => topicErrorCode === 0);
  for (const topic of answer.topicMetadata) {
    const isMissing =
      topic.topicErrorCode === UNKNOWN_TOPIC_OR_PARTITION ||
      topic.topicErrorCode === LEADER_NOT_AVAILABLE;
    if (isThere && isMissing) topic.topicErrorCode = 0;
    for (const partition of topic.partitionMetadata) {
      const { partitionErrorCode } = partition;
      if (partitionErrorCode === 0) continue;
      if (partitionErrorCode !== REPLICA_NOT_AVAILABLE) partition.leader = NO_LEADER;
      partition.partitionErrorCode = 0;
    }
  }
  return parse(answer);
}

function isMetadata(answer: unknown): answer is MetadataAnswer {
  return typeof answer === "object" && answer !== null && "topicMetadata" in answer;
}

const table: { createErrorFromCode(code: number): KafkaError } = createRequire(import.meta.url)(
  "kafkajs/src/protocol/error",
);

export interface KafkaError extends Error {
  readonly type: string;
}

/** Returns the error that Kafka's table has for a code. */
export function errorOf(code: number): KafkaError {
  return table.createErrorFromCode(code);
}

const CAUSE_OF_TYPE: Readonly<Record<string, PartitionFailure["cause"]>> = {
  LEADER_NOT_AVAILABLE: "no-leader",
  NOT_LEADER_FOR_PARTITION: "no-leader",
  REPLICA_NOT_AVAILABLE: "no-leader",
  FENCED_LEADER_EPOCH: "no-leader",
  UNKNOWN_LEADER_EPOCH: "no-leader",
  UNKNOWN_TOPIC_OR_PARTITION: "missing",
};

/** Returns the failure of a partition that a broker answered with an error. */
export function answeredFailure(api: string, { type, message }: KafkaError): PartitionFailure {
  return { cause: CAUSE_OF_TYPE[type] ?? "refused", detail: `${api}: ${message} (${type})` };
}

/** Returns the failure of a partition when no broker answered, or when one refused the whole request. */
export function unansweredFailure(api: string, error: unknown): PartitionFailure {
  const detail = `${api}: ${error instanceof Error ? error.message : String(error)}`;
  return {
    cause: error instanceof kafkajs.KafkaJSProtocolError ? "refused" : "unanswered",
    detail,
  };
}
