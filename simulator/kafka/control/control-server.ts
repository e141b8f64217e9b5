import { createHash, timingSafeEqual } from "node:crypto";
import { fastify } from "fastify";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { messageOf } from "#consumer/errors.ts";
import { isLoopback } from "./loopback.ts";
import { OPERATIONS } from "./operations.ts";
import type { KafkaControl, Operation } from "./operations.ts";

export interface ControlServerOptions {
  /** The address to bind. */
  readonly host: string;
  readonly port: number;
  /**
   * The bearer token that every request must present. It may be absent on a loopback address only.
   */
  readonly token?: string;
}

export interface RunningControlServer extends AsyncDisposable {
  readonly url: string;
}

type AnyOperation = Operation<z.ZodType, z.ZodType>;
type AnyCall = (input: unknown, signal: AbortSignal) => Promise<unknown>;

/** Enough for a record of the largest batch, as base64. */
const BODY_BYTES_MAX = 4_194_304;
/** The length limit of a group, topic or member name in a path. */
const NAME_LENGTH_MAX = 1000;

/**
 * Serves the control of a broker to other processes, as JSON over HTTP: the routes of `OPERATIONS`.
 * Answers 400 for what the control refuses with RangeError, and 401 without the token. Throws
 * RangeError for a missing token, and the error of listen(2).
 */
export async function startControlServer(
  control: KafkaControl,
  { host, port, token }: ControlServerOptions,
): Promise<RunningControlServer> {
  if (token === undefined && !isLoopback(host)) {
    throw new RangeError(`control on ${host}: only loopback addresses may do without a token`);
  }
  const server = fastify({
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: NAME_LENGTH_MAX },
  });
  server.setErrorHandler(async (error, _request, reply) => {
    const code = statusOf(error);
    await reply.code(code).send({ code, message: refusalOf(error) });
  });
  if (token !== undefined) {
    const wanted = digest(`Bearer ${token}`);
    server.addHook("onRequest", async ({ headers }, reply) => {
      if (timingSafeEqual(digest(headers.authorization ?? ""), wanted)) return;
      await reply.code(401).send({ code: 401, message: "a bearer token is required" });
    });
  }
  const operations: [string, AnyOperation][] = Object.entries(OPERATIONS);
  for (const [name, operation] of operations) {
    const call = callOf(control, name);
    server.route({
      method: operation.method,
      url: operation.path,
      handler: (request, reply) => answer(operation, call, request, reply),
    });
  }
  const url = await server.listen({ host, port });
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      await server.close();
    },
  };
}

/** Input and output are checked by the schemas of the operation. */
function callOf(control: KafkaControl, name: string): AnyCall;
function callOf(control: Readonly<Record<string, unknown>>, name: string): unknown {
  return control[name];
}

async function answer(
  { input, output }: AnyOperation,
  call: AnyCall,
  { params, query, body }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const given = Object.assign({}, query, body, params);
  const result = z.encode(output, await call(z.decode(input, given), gone.signal));
  return result === undefined ? await reply.code(204).send() : await reply.send(result);
}

function statusOf(error: unknown): number {
  if (error instanceof RangeError || error instanceof z.ZodError) return 400;
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : 500;
}

function refusalOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return messageOf(error);
}

/** Hashes to one length, which a comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
