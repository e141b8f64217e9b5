import { Writer } from "@platformatic/kafka";
import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import type { TopicPartition } from "#simulator/kafka/topics/topic-partition.ts";
import type { Session } from "#simulator/kafka/security/session.ts";
import type { Codec, WireFormat } from "#simulator/kafka/wire/codec.ts";
import type { RequestReader } from "#simulator/kafka/wire/reader.ts";

/** Everything that a request may depend on beside its own fields. */
export interface RequestContext {
  readonly cluster: ClusterState;
  /** Id of the node that was asked. */
  readonly node: number;
  readonly listener: string;
  readonly version: number;
  readonly clientId: string;
  /** Address of the client with the leading slash that Apache Kafka shows. */
  readonly clientHost: string;
  /** Authentication of the connection. */
  readonly session: Session;
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
}

/** What a request is about, for the rules of faults and for whoever watches. */
interface RequestScope {
  readonly topics?: readonly string[];
  readonly partitions?: readonly TopicPartition[];
  readonly groups?: readonly string[];
}

export interface ApiDefinition<Request, RequestInput, Response, ResponseInput> {
  readonly key: number;
  /** Name in the protocol, such as `OffsetCommit`. */
  readonly name: string;
  /** Lowest and highest version that is served. */
  readonly versions: readonly [min: number, max: number];
  /** Lowest version that ApiVersions shows, when it is another one. */
  readonly versionShown?: number;
  /** First version with compact lengths and tagged fields. Default: none. */
  readonly flexibleFrom?: number;
  /** The response header never has tagged fields (ApiVersions). */
  readonly plainResponseHeader?: boolean;
  readonly request: Codec<Request, RequestInput>;
  readonly response: Codec<Response, ResponseInput>;
  readonly scope?: (request: Request, cluster: ClusterState) => RequestScope;
  /** Undefined: no answer is sent (acks=0). */
  handle(
    request: Request,
    context: RequestContext,
  ): ResponseInput | undefined | Promise<ResponseInput | undefined>;
  /** The answer that says `error` wherever this API has a place for it. Undefined: no answer is ever sent. */
  refuse(request: Request, error: number, version: number): ResponseInput | undefined;
}

/** The bytes of an answer, one piece after the other. Pieces may be the memory of a log: they are not written to. */
export type Pieces = readonly Buffer[];

/** A partition that is answered with an error of its own. */
export interface RefusedPartition extends TopicPartition {
  readonly error: number;
}

/** A request whose fields have been read. */
export interface Call {
  readonly scope: RequestScope;
  /** Body of the answer, which says an error of `refused` and of nothing else; undefined when none is sent. */
  apply(
    context: RequestContext,
    refused: RefusedPartition | undefined,
  ): Promise<Pieces | undefined>;
  /** The answer that `apply` gave, with this throttle time where its version has one. */
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
  /** Throws MalformedRequest. */
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

/** The answer, with one partition as the refusal has it. */
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

/** The scope of a request that names partitions by topic. */
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
