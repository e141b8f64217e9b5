import type { Duplex } from "node:stream";
import { connect } from "node:tls";

/** The longest time to wait for the TLS handshake, since a broker accepts connections before it answers any. */
const ANSWER_MS_MAX = 5000;

/**
 * Returns true when a TLS listener answers. An open port is not enough, since the port of a container accepts
 * connections before any process listens in it. The identity of the server is not checked.
 */
export async function tlsListenerAnswers(dial: () => Duplex | Promise<Duplex>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const raw = await dial();
  const socket = connect({ socket: raw, rejectUnauthorized: false });
  const timer = setTimeout(() => resolve(false), ANSWER_MS_MAX);
  socket.on("secureConnect", () => resolve(true));
  for (const stream of [raw, socket]) stream.on("error", () => resolve(false));
  socket.on("close", () => resolve(false));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
    raw.destroy();
  }
}
