import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Writer } from "@platformatic/kafka";
import type { DefinedApi } from "#simulator/kafka/apis/define.ts";
import { encodeBody } from "#simulator/kafka/apis/define.ts";
import { Frames } from "#simulator/kafka/network/frames.ts";
import { RequestReader } from "#simulator/kafka/wire/reader.ts";

/** The address of a listener. */
export interface WireAddress {
  readonly host: string;
  readonly port: number;
  /** PEM of the authority that verifies the broker's certificate. Absent: plaintext. */
  readonly ca?: string;
}

/** The parts of an API that a client needs. */
type WireApi<R, RI, S, SI> = Pick<
  DefinedApi<R, RI, S, SI>,
  "key" | "name" | "plainResponseHeader" | "format" | "request" | "response"
>;

const CLIENT_ID = "parity";
/** No answer is longer. */
const FRAME_BYTES_MAX = 104_857_600;

/**
 * One connection to a broker, ours or any other. It sends requests and reads answers with the
 * codecs of this folder, and adds nothing of a client: no retry, no negotiation, no conversion of
 * errors.
 */
export class WireConnection implements Disposable {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #clientId: string;
  readonly #frames = new Frames();
  readonly #arrived: Buffer[] = [];
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = [];
  #nextCorrelationId = 1;

  /** Rejects with the error of connect(2) or of the handshake. */
  static open({ host, port, ca }: WireAddress, clientId = CLIENT_ID): Promise<WireConnection> {
    const socket =
      ca === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ca: [ca] });
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once(ca === undefined ? "connect" : "secureConnect", () => {
        socket.off("error", reject);
        resolve(new WireConnection(socket, clientId));
      });
    });
  }

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket;
    this.#clientId = clientId;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      for (const frame of this.#frames.push(chunk, FRAME_BYTES_MAX)) this.#take(frame);
    });
    // The event "close" follows a reset as any other end.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        for (const wake of this.#waiting.splice(0)) wake(undefined);
        resolve();
      });
    });
  }

  /**
   * Sends a request and waits for the answer. Rejects when the broker closes instead, or when the
   * codec cannot read the answer.
   */
  async call<R, RI, S, SI>(api: WireApi<R, RI, S, SI>, version: number, request: RI): Promise<S> {
    const correlationId = this.send(api, version, request);
    const frame = await this.receive();
    const what = `${api.name} version ${version}`;
    if (frame === undefined) throw new Error(`${what}: the broker closed the connection`);
    const reader = RequestReader.from(frame);
    const answered = reader.int32();
    if (answered !== correlationId) {
      throw new Error(`${what}: correlation id ${answered}, expected ${correlationId}`);
    }
    const format = api.format(version);
    if (format.flexible && api.plainResponseHeader !== true) reader.skipTaggedFields();
    const answer = api.response.read(reader, format);
    if (reader.remaining > 0) throw new Error(`${what}: ${reader.remaining} bytes are left`);
    return answer;
  }

  /** Sends a request without waiting and returns the correlation id. */
  send<R, RI, S, SI>(
    api: Omit<WireApi<R, RI, S, SI>, "response">,
    version: number,
    request: RI,
  ): number {
    const format = api.format(version);
    const correlationId = this.#nextCorrelationId;
    this.#nextCorrelationId += 1;
    const frame = requestHeader(api.key, version, correlationId, format.flexible, this.#clientId);
    for (const piece of encodeBody(api.request, request, format)) frame.append(piece);
    this.sendBytes(frame.prependLength().buffer);
    return correlationId;
  }

  sendBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /**
   * Returns the next frame without its size, or undefined when the connection was closed before it
   * came.
   */
  receive(): Promise<Buffer | undefined> {
    const frame = this.#arrived.shift();
    if (frame !== undefined || this.#socket.closed) return Promise.resolve(frame);
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(frame: Buffer): void {
    const wake = this.#waiting.shift();
    if (wake === undefined) this.#arrived.push(frame);
    else wake(frame);
  }
}

/** Builds version 1 of the request header, or version 2 without tagged fields. */
export function requestHeader(
  apiKey: number,
  version: number,
  correlationId: number,
  isFlexible: boolean,
  clientId = CLIENT_ID,
): Writer {
  const header = Writer.create()
    .appendInt16(apiKey)
    .appendInt16(version)
    .appendInt32(correlationId)
    .appendString(clientId, false);
  return isFlexible ? header.appendUnsignedVarInt(0) : header;
}
