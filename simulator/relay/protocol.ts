import type { Http2Session } from "node:http2";

/**
 * The path at which the relay asks for its orders. They are lines of JSON, each a list of all
 * ports. The relay answers each with a line: null, or the error.
 */
export const PORTS_PATH = "/ports";

/**
 * The number of unread bytes that one connection may take in, so that only this connection waits
 * for its reader.
 */
const STREAM_WINDOW_BYTES = 256 * 1024;

/**
 * The number of unread bytes of all connections together: a connection that nobody reads must not
 * hold up the others.
 */
const TUNNEL_WINDOW_BYTES = 256 * 1024 * 1024;

/**
 * The settings of both ends. `maxSessionMemory` is in megabytes. Beyond it Node refuses streams.
 */
export const TUNNEL_SETTINGS = {
  settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
  maxSessionMemory: 512,
};

export function widen(session: Http2Session): void {
  session.setLocalWindowSize(TUNNEL_WINDOW_BYTES);
}
