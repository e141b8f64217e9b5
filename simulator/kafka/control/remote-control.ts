import { z } from "zod";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { OPERATIONS } from "./operations.ts";
import type { KafkaControl, Operation } from "./operations.ts";

export interface RemoteControlOptions {
  /** The URL of the control server, without a slash at the end. */
  readonly url: string;
  readonly token?: string;
  /**
   * The time limit of one operation beyond the time that it is told to wait, in milliseconds.
   * Defaults to 10000.
   */
  readonly timeoutMs?: number;
}

const STATUS = { noContent: 204, refused: 400 };

/**
 * Returns the control of a broker that another process serves with `startControlServer`. It rejects
 * with RangeError, with the errors of a connection, and with an Error that names the operation for
 * any other answer.
 */
export function remoteControl(options: RemoteControlOptions): KafkaControl;
export function remoteControl(options: RemoteControlOptions): object {
  const operations: [string, AnyOperation][] = Object.entries(OPERATIONS);
  return Object.fromEntries(
    operations.map(([name, operation]) => [
      name,
      (input: unknown = {}, signal?: AbortSignal) => call(operation, input, options, signal),
    ]),
  );
}

type AnyOperation = Operation<z.ZodType, z.ZodType>;

async function call(
  { method, path, input, output }: AnyOperation,
  given: unknown,
  { url, token, timeoutMs = 10_000 }: RemoteControlOptions,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const fields = new Map(Object.entries(encodedFields(input, given)));
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = String(fields.get(name));
    fields.delete(name);
    return encodeURIComponent(value);
  });
  const isInBody = method === "POST" || method === "PUT";
  const query = isInBody ? "" : `?${new URLSearchParams([...fields].map(asText)).toString()}`;
  const { status, body } = await requestJson(`${url}${filled}${query}`, {
    method,
    signal,
    timeoutMs: timeoutMs + Number(fields.get("waitMs") ?? 0),
    ...(isInBody && { body: Object.fromEntries(fields) }),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  if (status === STATUS.noContent) return undefined;
  if (status < STATUS.refused) return z.decode(output, body);
  const message = String(jsonField(body, "message") ?? body);
  if (status === STATUS.refused) throw new RangeError(message);
  throw new Error(`${method} ${path} of the broker's control: status ${status}, ${message}`);
}

/**
 * Encodes the input as an object of fields. Throws RangeError for a value that the schema refuses.
 */
function encodedFields(input: z.ZodType, given: unknown): object {
  const encoded = z.safeEncode(input, given);
  if (encoded.success) return Object(encoded.data);
  throw new RangeError(z.prettifyError(encoded.error));
}

function asText([name, value]: [string, unknown]): [string, string] {
  return [name, String(value)];
}
