import type { Http2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Socket } from "node:net";

/**
 * Joins a socket and a stream of the tunnel into one connection. Bytes flow as fast as the other
 * side takes them, each direction ends by itself, and a reset of one side resets the other side
 * too.
 */
export function join(socket: Socket, stream: Http2Stream): void {
  // The event `close` follows every error.
  socket.on("error", () => {});
  stream.on("error", () => {});
  socket.on("close", () => {
    const ended = socket.readableEnded && socket.writableFinished;
    // Closing with a code would first announce a regular end of the direction.
    if (!ended) stream.destroy(new Error("the connection was reset"));
  });
  stream.on("close", () => {
    if (isReset(stream)) socket.resetAndDestroy();
  });
  socket.pipe(stream);
  // A stream that is reset ends as well, before it closes.
  stream.pipe(socket, { end: false });
  stream.on("end", () => {
    if (!isReset(stream)) socket.end();
  });
}

function isReset({ rstCode }: Http2Stream): boolean {
  return rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR;
}
