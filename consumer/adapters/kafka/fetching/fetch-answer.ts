import { createRequire } from "node:module";

import {
  type AbortedTransaction,
  FetchedRecords,
} from "#consumer/adapters/kafka/records/raw-records.ts";

/**
 * The rack of a consumer whose records kafkajs hands over as they were fetched. No rack is sent to the broker: it only tells
 * our own consumer from others of this process.
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
  /** Obeyed by the client since version 8; before by the broker. */
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
  /** None for kafkajs: they are with the records. */
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedRecords[];
}

/** The first one with record batches (Kafka 0.11). */
const VERSION_MIN = 4;

/**
 * src/protocol/requests/fetch: kafkajs decodes every record as soon as an answer has come. One damaged batch fails the fetch
 * of all partitions; the records of a batch are the arguments of one call, which overflows the stack; a batch without
 * records is lost, with the position that it passes; checksums are not looked at; and everything is unpacked at once,
 * whatever it takes. Here an answer is split into its partitions only.
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
  // Error code and id of a session: none is asked for.
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
  // The last stable offset, then the first one of the log.
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

/** Fields of Kafka's protocol, one after another; a null array or null bytes are empty. Every one throws beyond the end. */
class AnswerReader {
  readonly #answer: Buffer;
  #position = 0;

  constructor(answer: Buffer) {
    this.#answer = answer;
  }

  /** Gives where they began. */
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

  /** A view of a small part would keep the whole answer in memory as long as its records wait, which count for less. */
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
