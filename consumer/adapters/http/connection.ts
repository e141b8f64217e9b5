import { Socket } from "node:net";

import { Agent, buildConnector } from "undici";

export interface ConnectionOptions {
  /** The time for TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The PEM of the authorities. Absent for plain HTTP, or to use the system's authorities. */
  readonly tls?: {
    readonly ca: string;
    /** The certificate of the client, for mTLS; `key` is its key. */
    readonly cert?: string;
    readonly key?: string;
  };
}

/** A connection for one request, closed afterwards, so that no earlier request can have left it in a bad state. */
export interface Connection extends AsyncDisposable {
  /** Calls the global fetch over this connection, once. Rejects whatever would send a second request. */
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** True once TCP and TLS are established, so that a part of the request may have been sent. */
  readonly established: boolean;
}

export function openConnection(options: ConnectionOptions): Connection {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    allowH2: false,
    // It is set here, so that no environment variable decides it.
    rejectUnauthorized: true,
    ...options.tls,
  });
  let established = false;
  const agent = new Agent({
    pipelining: 0,
    connections: 1,
    connect: (target, callback) => {
      connect(target, (...result) => {
        established ||= result[1] instanceof Socket;
        callback(...result);
      });
    },
  });
  let dispatched = false;
  // The Fetch standard repeats a request by itself when the answer is 421: one send must stay one request.
  const once = agent.compose((dispatch) => (request, handler) => {
    if (dispatched) throw new Error("a second request was withheld: the first was answered by 421");
    dispatched = true;
    return dispatch(request, handler);
  });
  return {
    // It is assigned, since the fetch of Node has types of its own for a dispatcher.
    fetch: (url, init) => fetch(url, Object.assign(init, { dispatcher: once })),
    get established() {
      return established;
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
