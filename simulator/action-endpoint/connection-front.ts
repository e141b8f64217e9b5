import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Barrier } from "./barrier.ts";
import type { Arrival } from "./action-endpoint-control.ts";

/**
 * Accepts connections and hands them on, unless a barrier holds them first. Bytes that arrive on a
 * held connection are kept, because listening is the only way to notice that the peer has gone, and
 * are given back on release. A connection whose peer has gone is closed instead. Sockets are handed
 * on paused.
 */
export function createFront(
  barrier: () => Barrier<Arrival> | undefined,
  accept: (socket: Socket) => void,
): { readonly server: Server; readonly sockets: ReadonlySet<Socket> } {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A peer that is killed resets its connection. That is an expected end here.
    socket.on("error", () => {});
    const held = barrier();
    if (held === undefined) accept(socket);
    else hold(socket, held, accept);
  });
  return { server, sockets };
}

function hold(socket: Socket, barrier: Barrier<Arrival>, accept: (socket: Socket) => void): void {
  const kept: Buffer[] = [];
  let gone = false;
  const keep = (chunk: Buffer) => void kept.push(chunk);
  const leave = () => {
    gone = true;
  };
  socket.on("data", keep).on("end", leave).on("close", leave);
  socket.resume();
  barrier.wait(
    { key: null, method: null, path: null },
    {
      proceed: () => {
        socket.off("data", keep).off("end", leave).off("close", leave);
        if (gone) {
          socket.destroy();
          return;
        }
        socket.pause();
        if (kept.length > 0) socket.unshift(Buffer.concat(kept));
        accept(socket);
      },
      drop: () => socket.destroy(),
    },
  );
}
