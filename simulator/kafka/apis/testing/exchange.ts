import { callbackify } from "node:util";
import { Connection, Reader } from "@platformatic/kafka";
import type { Callback, ResponseParser, Writer } from "@platformatic/kafka";
import type { ClusterState } from "#simulator/kafka/cluster/cluster-state.ts";
import { ANONYMOUS, Session } from "#simulator/kafka/security/session.ts";
import { RequestReader } from "#simulator/kafka/wire/reader.ts";
import type { Api, Call, Pieces, RequestContext } from "#simulator/kafka/apis/define.ts";
import { apis } from "#simulator/kafka/apis/registry.ts";

/** The observations of one exchange beside the answer that the client parsed. */
export interface Exchange {
  readonly api: Api;
  readonly call: Call;
  /**
   * The bytes of the request that the broker did not read, and those of the answer that the client
   * did not read.
   */
  readonly unread: { readonly request: number; readonly response: number };
  /** Tells whether the client expects tagged fields in the headers of this version. */
  readonly taggedHeaders: { readonly request: boolean; readonly response: boolean };
}

/**
 * A client's connection that leads to an API of ours without a socket. The client builds the
 * request and parses the answer, so that another implementation checks both sides of the codec.
 */
export class ExchangeConnection extends Connection {
  readonly exchanges: Exchange[] = [];
  readonly #cluster: ClusterState;
  readonly #session: Session;
  readonly #answer: (call: Call, context: RequestContext) => Promise<Pieces | undefined>;

  constructor(
    cluster: ClusterState,
    answer = (call: Call, context: RequestContext): Promise<Pieces | undefined> =>
      call.apply(context, undefined),
  ) {
    super("exchange");
    this.#cluster = cluster;
    this.#session = new Session(cluster.users, ["PLAIN"], ANONYMOUS);
    this.#answer = answer;
  }

  override send<T>(
    apiKey: number,
    apiVersion: number,
    createPayload: () => Writer | Promise<Writer>,
    parse: ResponseParser<T>,
    taggedRequest: boolean,
    taggedResponse: boolean,
    callback: Callback<T>,
  ): void {
    const exchange = async (): Promise<T> => {
      const api = apis.get(apiKey);
      if (api === undefined) throw new RangeError(`API key ${apiKey} is not served`);
      const body = RequestReader.from((await createPayload()).buffer);
      const call = api.read(body, apiVersion, this.#cluster);
      const answer = await this.#answer(call, this.#context(apiVersion));
      const reader = Reader.from(Buffer.concat(answer ?? []));
      try {
        return await parse(1, apiKey, apiVersion, reader);
      } finally {
        this.exchanges.push({
          api,
          call,
          unread: { request: body.remaining, response: reader.remaining },
          taggedHeaders: { request: taggedRequest, response: taggedResponse },
        });
      }
    };
    callbackify(exchange)((error, response) => callback(error, response));
  }

  #context(version: number): RequestContext {
    return {
      cluster: this.#cluster,
      node: 1,
      listener: "main",
      version,
      clientId: "client",
      clientHost: "/127.0.0.1",
      session: this.#session,
      signal: new AbortController().signal,
    };
  }
}
