import { Socket } from "node:net";

import { Agent, buildConnector } from "undici";

export interface ConnectionOptions {
  /** TCP and TLS together, milliseconds. */
  readonly connectTimeoutMs: number;
  /** PEM; absent for plain HTTP or for the system's authorities. */
  readonly tls?: {
    readonly ca: string;
    /** The client's pair, for mTLS. */
    readonly cert?: string;
    readonly key?: string;
  };
}

/** One request on a connection of its own, closed afterwards: no other request can have left it half dead. */
export interface Connection extends AsyncDisposable {
  /** The global fetch over this connection, once: whatever would send a second request rejects. */
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** True once TCP and TLS stood, so that something of the request may have been sent. */
  readonly established: boolean;
}

export function openConnection(options: ConnectionOptions): Connection {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    allowH2: false,
    // Said here, so that no variable of the environment decides it.
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
    // Assigned, since the fetch of Node has types of its own for a dispatcher.
    fetch: (url, init) => fetch(url, Object.assign(init, { dispatcher: once })),
    get established() {
      return established;
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
