import type { Http2Session } from "node:http2";

/** Where the relay asks for its orders: lines of JSON, each a list of all ports; it answers each by a line: null, or why not. */
export const PORTS_PATH = "/ports";

/** One connection may take in so much that is not read yet, so that it waits for its reader alone. Bytes. */
const STREAM_WINDOW_BYTES = 256 * 1024;

/** All connections together: one that nobody reads must not hold up the others. Bytes. */
const TUNNEL_WINDOW_BYTES = 256 * 1024 * 1024;

/** Of both ends. `maxSessionMemory` is in megabytes; beyond it Node refuses streams. */
export const TUNNEL_SETTINGS = {
  settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
  maxSessionMemory: 512,
};

export function widen(session: Http2Session): void {
  session.setLocalWindowSize(TUNNEL_WINDOW_BYTES);
}
