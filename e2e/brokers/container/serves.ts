import type { Duplex } from "node:stream";
import { connect } from "node:tls";

/** A broker takes connections before it answers any. */
const ANSWER_MS_MAX = 5000;

/**
 * Whether a TLS listener answers: a port of a container takes connections before anybody listens in it. Who it is does
 * not matter here.
 */
export async function serves(dial: () => Duplex | Promise<Duplex>): Promise<boolean> {
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
