import { Writer } from "@platformatic/kafka";
import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Session } from "#simulator/kafka/security/session.ts";
import type { Codec, WireFormat } from "#simulator/kafka/wire/codec.ts";
import type { RequestReader } from "#simulator/kafka/wire/reader.ts";

/** Everything that the handling of a request depends on beside its own fields. */
export interface RequestContext {
  readonly cluster: ClusterState;
  /** The id of the node that received the request. */
  readonly node: number;
  readonly listener: string;
  readonly version: number;
  readonly clientId: string;
  /** The address of the client with the leading slash that Apache Kafka shows. */
  readonly clientHost: string;
  /** The authentication of the connection. */
  readonly session: Session;
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
}

/** The objects that a request names, for fault rules and observers. */
interface RequestScope {
  readonly topics?: readonly string[];
  readonly partitions?: readonly TopicPartition[];
  readonly groups?: readonly string[];
}

export interface ApiDefinition<Request, RequestInput, Response, ResponseInput> {
  readonly key: number;
  /** The name in the protocol, such as `OffsetCommit`. */
  readonly name: string;
  /** The lowest and the highest version that are served. */
  readonly versions: readonly [min: number, max: number];
  /** The lowest version that ApiVersions shows, when it is another one. */
  readonly versionShown?: number;
  /** The first version with compact lengths and tagged fields. Defaults to none. */
  readonly flexibleFrom?: number;
  /** True when the response header never has tagged fields (ApiVersions). */
  readonly plainResponseHeader?: boolean;
  readonly request: Codec<Request, RequestInput>;
  readonly response: Codec<Response, ResponseInput>;
  readonly scope?: (request: Request, cluster: ClusterState) => RequestScope;
  /** Handles a request. Returns undefined when no answer is sent (acks=0). */
  handle(
    request: Request,
    context: RequestContext,
  ): ResponseInput | undefined | Promise<ResponseInput | undefined>;
  /**
   * Returns an answer with `error` in all places that this API has for it, or undefined when no
   * answer is ever sent.
   */
  refuse(request: Request, error: number, version: number): ResponseInput | undefined;
}

/**
 * The bytes of an answer, piece by piece. Pieces may be the memory of a log: they must not be
 * written to.
 */
export type Pieces = readonly Buffer[];

/** A partition that is answered with an error of its own. */
export interface RefusedPartition extends TopicPartition {
  readonly error: number;
}

/** A request whose fields have been read. */
export interface Call {
  readonly scope: RequestScope;
  /**
   * Applies the request and returns the body of the answer, with the error of `refused` for that
   * partition only. Returns undefined when no answer is sent.
   */
  apply(
    context: RequestContext,
    refused: RefusedPartition | undefined,
  ): Promise<Pieces | undefined>;
  /** Returns the answer of `apply` with this throttle time, where its version has one. */
  throttled(throttleTimeMs: number): Pieces | undefined;
  refuse(error: number): Pieces | undefined;
}

/** One API as the dispatcher sees it. */
export interface Api {
  readonly key: number;
  readonly name: string;
  readonly versions: readonly [min: number, max: number];
  readonly versionShown?: number;
  format(version: number): WireFormat;
  readonly plainResponseHeader?: boolean;
  /** Reads the fields of a request. Throws MalformedRequest. */
  read(body: RequestReader, version: number, cluster: ClusterState): Call;
}

export type DefinedApi<R, RI, S, SI> = ApiDefinition<R, RI, S, SI> & Api;

export function defineApi<R, RI, S, SI>(
  definition: ApiDefinition<R, RI, S, SI>,
): DefinedApi<R, RI, S, SI> {
  const { flexibleFrom = Number.POSITIVE_INFINITY, response } = definition;
  const format = (version: number): WireFormat => ({ version, flexible: version >= flexibleFrom });
  return {
    ...definition,
    format,
    read(body, version, cluster) {
      const request = definition.request.read(body, format(version));
      let applied: SI | undefined;
      const encode = (answer: SI | undefined): Pieces | undefined =>
        answer === undefined ? undefined : encodeBody(response, answer, format(version));
      return {
        scope: definition.scope?.(request, cluster) ?? {},
        async apply(context, refused) {
          applied = await definition.handle(request, context);
          if (refused !== undefined) {
            const refusal = definition.refuse(request, refused.error, version);
            applied = withPartitionOf(applied, refusal, refused);
          }
          return encode(applied);
        },
        throttled: (throttleTimeMs) => encode(applied && { ...applied, throttleTimeMs }),
        refuse: (error) => encode(definition.refuse(request, error, version)),
      };
    },
  };
}

interface PartitionAnswers {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly index: number }[];
  }[];
}

/** Returns the answer with one partition replaced by that of the refusal. */
function withPartitionOf<Answer>(
  answer: Answer,
  refusal: Answer,
  { topic, partition }: TopicPartition,
): Answer {
  if (!hasPartitions(answer) || !hasPartitions(refusal)) return answer;
  const refused = refusal.topics
    .find(({ name }) => name === topic)
    ?.partitions.find(({ index }) => index === partition);
  if (refused === undefined) return answer;
  const topics = answer.topics.map((each) => {
    if (each.name !== topic) return each;
    const partitions = each.partitions.map((one) => (one.index === partition ? refused : one));
    return { ...each, partitions };
  });
  return { ...answer, topics };
}

function hasPartitions<Answer>(answer: Answer): answer is Answer & PartitionAnswers {
  return (
    typeof answer === "object" &&
    answer !== null &&
    "topics" in answer &&
    Array.isArray(answer.topics)
  );
}

export function encodeBody<R, W>(codec: Codec<R, W>, value: W, format: WireFormat): Pieces {
  const writer = Writer.create();
  codec.write(writer, value, format);
  return writer.buffers;
}

/** Returns the scope of a request that names partitions by topic. */
export function scopeOfPartitions(
  topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly index: number }[];
  }[],
): RequestScope {
  return {
    topics: topics.map(({ name }) => name),
    partitions: topics.flatMap(({ name, partitions }) =>
      partitions.map(({ index }) => ({ topic: name, partition: index })),
    ),
  };
}
