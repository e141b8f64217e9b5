import type { Http2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Socket } from "node:net";

/**
 * Makes one connection of a socket and a stream of the tunnel: bytes as fast as the other side takes them, the end of each
 * direction by itself, and what broke off breaks off on the other side too.
 */
export function join(socket: Socket, stream: Http2Stream): void {
  // Whatever it says, `close` follows.
  socket.on("error", () => {});
  stream.on("error", () => {});
  socket.on("close", () => {
    const ended = socket.readableEnded && socket.writableFinished;
    // `close` with a code would say first that the direction ends as it should.
    if (!ended) stream.destroy(new Error("the connection was reset"));
  });
  stream.on("close", () => {
    if (isReset(stream)) socket.resetAndDestroy();
  });
  socket.pipe(stream);
  // One that is reset ends as well, before it closes.
  stream.pipe(socket, { end: false });
  stream.on("end", () => {
    if (!isReset(stream)) socket.end();
  });
}

function isReset({ rstCode }: Http2Stream): boolean {
  return rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR;
}
