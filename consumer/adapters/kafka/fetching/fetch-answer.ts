import { createRequire } from "node:module";

import { FetchedRecords } from "#consumer/adapters/kafka/records/raw-records.ts";
import type { AbortedTransaction } from "#consumer/adapters/kafka/records/raw-records.ts";

/**
 * The rack that marks a consumer whose records kafkajs hands over as they were fetched. It is not sent to the broker;
 * it only tells our consumer from others of this process.
 */
export const RAW_RECORDS = "raw-records";

interface FetchArguments {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
  }[];
  readonly rackId?: string;
}

interface FetchRequest {
  readonly response: { decode(bytes: Buffer): Promise<FetchAnswer>; parse: unknown };
}

type CreateRequest = (given: FetchArguments) => FetchRequest;

interface FetchAnswer {
  /** The throttle time; clients obey it since version 8, brokers before. */
  readonly clientSideThrottleTime: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly PartitionAnswer[];
  }[];
}

interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  /** The aborted transactions. kafkajs gets none, because they are kept with the records. */
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedRecords[];
}

/** The first version with record batches (Kafka 0.11). */
const VERSION_MIN = 4;

/**
 * Patches src/protocol/requests/fetch: there, kafkajs decodes every record as soon as an answer has come. One damaged
 * batch fails the fetch of all partitions; the records of a batch are the arguments of one call, which overflows the
 * stack; a batch without records is lost, with the position after it; checksums are not verified; and everything is
 * unpacked at once, however large it is. Here an answer is only split into its partitions.
 */
export function guardFetchAnswers(): void {
  const path = "kafkajs/src/protocol/requests/fetch";
  const requests: unknown = createRequire(import.meta.url)(path);
  if (!isRequests(requests)) throw new TypeError(`${path} has no protocol: is it version 2.2.4?`);
  const { protocol } = requests;
  requests.protocol = ({ version }) => {
    const create = protocol({ version });
    return (given) => {
      if (given.rackId !== RAW_RECORDS) return create(given);
      if (version < VERSION_MIN) throw new TypeError(`Fetch ${version}: the broker is too old`);
      const request = create({ ...given, rackId: "" });
      const decode = async (bytes: Buffer) => decodeFetch(bytes, version, given);
      return { ...request, response: { ...request.response, decode } };
    };
  };
}

interface FetchRequests {
  protocol: (choice: { readonly version: number }) => CreateRequest;
}

function isRequests(loaded: unknown): loaded is FetchRequests {
  return (
    typeof loaded === "object" &&
    loaded !== null &&
    typeof Reflect.get(loaded, "protocol") === "function"
  );
}

function decodeFetch(bytes: Buffer, version: number, { topics }: FetchArguments): FetchAnswer {
  const fields = new AnswerReader(bytes);
  const throttleTimeMs = fields.int32();
  // These are the error code and the id of a session; none is requested.
  if (version >= 7) fields.skip(6);
  const responses = fields.array(() => {
    const topicName = fields.string();
    const asked = topics.find(({ topic }) => topic === topicName)?.partitions ?? [];
    const offsets = new Map(asked.map(({ partition, fetchOffset }) => [partition, fetchOffset]));
    return { topicName, partitions: fields.array(() => readPartition(fields, version, offsets)) };
  });
  return { clientSideThrottleTime: version >= 8 ? throttleTimeMs : 0, responses };
}

function readPartition(
  fields: AnswerReader,
  version: number,
  offsets: ReadonlyMap<number, string>,
): PartitionAnswer {
  const partition = fields.int32();
  const errorCode = fields.int16();
  const highWatermark = String(fields.int64());
  // These are the last stable offset and the log start offset.
  fields.skip(version >= 5 ? 16 : 8);
  const abortedTransactions = fields.array<AbortedTransaction>(() => ({
    producerId: fields.int64(),
    firstOffset: fields.int64(),
  }));
  const preferredReadReplica = version >= 11 ? fields.int32() : -1;
  const records = fields.bytes();
  const offset = offsets.get(partition);
  const messages =
    offset === undefined || records.length === 0
      ? []
      : [new FetchedRecords({ offset: BigInt(offset), bytes: records, abortedTransactions })];
  return {
    partition,
    errorCode,
    highWatermark,
    abortedTransactions: [],
    preferredReadReplica,
    messages,
  };
}

/**
 * Reads fields of Kafka's protocol one after another; a null array and null bytes are empty. Every method throws
 * beyond the end.
 */
class AnswerReader {
  readonly #answer: Buffer;
  #position = 0;

  constructor(answer: Buffer) {
    this.#answer = answer;
  }

  /** Skips bytes, and returns where they began. */
  skip(bytes: number): number {
    const start = this.#position;
    this.#position += bytes;
    return start;
  }

  int16(): number {
    return this.#answer.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.#answer.readInt32BE(this.skip(4));
  }

  int64(): bigint {
    return this.#answer.readBigInt64BE(this.skip(8));
  }

  string(): string {
    return String(this.#take(this.int16()));
  }

  /**
   * Copies a small part of an answer. A view would keep the whole answer in memory as long as its records wait,
   * although they count for less.
   */
  bytes(): Buffer {
    const view = this.#take(this.int32());
    if (view.length > this.#answer.length / 2) return view;
    const copy = Buffer.allocUnsafeSlow(view.length);
    view.copy(copy);
    return copy;
  }

  array<Item>(item: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.int32(); left > 0; left -= 1) items.push(item());
    return items;
  }

  #take(length: number): Buffer {
    const start = this.skip(Math.max(0, length));
    if (this.#position > this.#answer.length) throw new RangeError("a fetch answer is cut off");
    return this.#answer.subarray(start, this.#position);
  }
}
