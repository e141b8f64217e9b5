import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createConnection, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startRelay } from "./relay.ts";
import { openTunnel } from "./tunnel.ts";

/**
 * The servers and the relay have the same ports, as in a cluster. Here each has an address of its
 * own.
 */
const RELAY_HOST = "127.0.0.1";
const SERVER_HOST = process.platform === "linux" ? "127.0.0.2" : "::1";

const BLOCK = Buffer.alloc(64 * 1024, "x");

/** Starts a relay, the tunnel to it, and a server whose port is exposed. */
async function setUp(accept: (socket: Socket) => void) {
  await using starting = new AsyncDisposableStack();
  const relay = starting.use(await startRelay({ host: RELAY_HOST }));
  const link = createConnection(relay.port, RELAY_HOST);
  const tunnel = starting.use(await openTunnel(link, { host: SERVER_HOST }));
  const server = starting.use(await serverOf(accept));
  const exposure = await tunnel.expose([server.port]);
  const stack = starting.move();
  return {
    relay,
    link,
    tunnel,
    port: server.port,
    exposure,
    dial: () => dial(server.port),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function serverOf(accept: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  server.listen(0, SERVER_HOST);
  await once(server, "listening");
  return {
    port: portOf(server),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function dial(port: number): Socket {
  const socket = createConnection({ port, host: RELAY_HOST, allowHalfOpen: true });
  socket.on("error", () => {});
  return socket;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Returns the code of the error with which a socket closes, or null when it closes without one. */
async function closing(socket: Socket): Promise<string | null> {
  let code: string | null = null;
  socket.on("error", (error: NodeJS.ErrnoException) => (code = error.code ?? "?"));
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => void socket.once("close", resolve));
  return code;
}

async function isRefused(port: number): Promise<boolean> {
  return (await closing(dial(port))) === "ECONNREFUSED";
}

test("bytes flow both ways, and each direction ends by itself", async () => {
  await using set = await setUp((socket) => {
    // The server answers only when it knows that nothing more comes.
    void text(socket).then((got) => socket.end(`got ${got}`));
  });
  const socket = set.dial();
  socket.write("one ");
  await sleep(20);
  socket.end("two");
  await expect(text(socket)).resolves.toBe("got one two");
});

test("a server may end its direction first", async () => {
  const received = Promise.withResolvers<string>();
  await using set = await setUp((socket) => {
    socket.end("hello");
    received.resolve(text(socket));
  });
  const socket = set.dial();
  socket.write("good");
  await expect(text(socket.on("end", () => socket.end("bye")))).resolves.toBe("hello");
  await expect(received.promise).resolves.toBe("goodbye");
  await expect(closing(socket)).resolves.toBeNull();
});

test("a connection that the server resets is reset for the pod", async () => {
  await using set = await setUp((socket) => socket.resetAndDestroy());
  await expect(closing(set.dial())).resolves.toBe("ECONNRESET");
});

test("a connection that the pod resets is reset for the server", async () => {
  const accepted = Promise.withResolvers<Socket>();
  await using set = await setUp((socket) => accepted.resolve(socket));
  const socket = set.dial();
  const atServer = await accepted.promise;
  const code = closing(atServer);
  socket.resetAndDestroy();
  await expect(code).resolves.toBe("ECONNRESET");
});

test("a server that is closed while its port is exposed resets", async () => {
  await using set = await setUp(() => {});
  const gone = await serverOf(() => {});
  await using _ = await set.tunnel.expose([gone.port]);
  await gone[Symbol.asyncDispose]();
  await expect(closing(dial(gone.port))).resolves.toBe("ECONNRESET");
});

test("neither side is read faster than the other one accepts", async () => {
  const accepted = Promise.withResolvers<Socket>();
  await using set = await setUp((socket) => accepted.resolve(socket.pause()));
  const socket = set.dial();
  const atServer = await accepted.promise;
  for (const [writer, reader] of [
    [socket, atServer],
    [atServer, socket],
  ] as const) {
    reader.pause();
    let bytes = 0;
    // The kernel buffers some megabytes at each of the four ends, and the window a quarter of one.
    while (bytes < 64 * 1024 * 1024) {
      if (!writer.write(BLOCK) && (await isStuck(writer))) break;
      bytes += BLOCK.length;
    }
    expect(bytes).toBeLessThan(48 * 1024 * 1024);
    // The transfer goes on where it stopped.
    reader.resume();
    await once(writer, "drain");
    reader.pause();
  }
});

async function isStuck(writer: Socket): Promise<boolean> {
  const drained = once(writer, "drain").then(() => false);
  return await Promise.race([drained, sleep(500, true)]);
}

test("a connection that nobody reads does not delay the others", async () => {
  let silent = true;
  await using set = await setUp((socket) => {
    if (silent) socket.pause();
    else socket.pipe(socket);
    silent = false;
  });
  const stuck = set.dial();
  while (stuck.write(BLOCK) || !(await isStuck(stuck)));
  const socket = set.dial();
  socket.end("through");
  await expect(text(socket)).resolves.toBe("through");
});

test("hundreds of connections at once each carry their own bytes", async () => {
  await using set = await setUp((socket) => socket.pipe(socket));
  const texts = Array.from({ length: 300 }, (_, index) => `${index} `.repeat(1000));
  const echoed = await Promise.all(
    texts.map(async (sent) => {
      const socket = set.dial();
      socket.end(sent);
      return await text(socket);
    }),
  );
  expect(echoed).toEqual(texts);
});

test("ports close when they are withdrawn, and others stay", async () => {
  await using set = await setUp((socket) => socket.end("first"));
  await using second = await serverOf((socket) => socket.end("second"));
  const exposure = await set.tunnel.expose([second.port]);
  await expect(text(dial(second.port))).resolves.toBe("second");
  await exposure[Symbol.asyncDispose]();
  await expect(isRefused(second.port)).resolves.toBe(true);
  await expect(text(set.dial())).resolves.toBe("first");
});

test("a port that the relay cannot open is an error with the reason, and the rest goes on", async () => {
  await using set = await setUp((socket) => socket.end("here"));
  await expect(set.tunnel.expose([set.relay.port])).rejects.toThrow(/the relay: .*EADDRINUSE/);
  await expect(text(set.dial())).resolves.toBe("here");
  await using second = await serverOf((socket) => socket.end("second"));
  await using _ = await set.tunnel.expose([second.port]);
  await expect(text(dial(second.port))).resolves.toBe("second");
});

test("a relay can connect to exposed ports only", async () => {
  let connections = 0;
  await using secret = await serverOf(() => (connections += 1));
  // This relay asks for a port that it was not told of.
  const connected = Promise.withResolvers<Socket>();
  await using impostor = await serverOf((socket) => connected.resolve(socket));
  const link = createConnection(impostor.port, SERVER_HOST);
  const socket = await connected.promise;
  const session = connectHttp2("http://tunnel", { createConnection: () => socket });
  session.request({ ":method": "POST", ":path": "/ports" }).resume();
  await using tunnel = await openTunnel(link, { host: SERVER_HOST });
  const asked = session.request({ ":method": "CONNECT", ":authority": `tunnel:${secret.port}` });
  const refused = new Promise<Error>((resolve) => void asked.once("error", resolve));
  expect((await refused).message).toMatch(/REFUSED_STREAM/);
  expect(connections).toBe(0);
  expect(tunnel.lost.aborted).toBe(false);
});

test("the end of the tunnel resets every connection and closes every port", async () => {
  await using set = await setUp((socket) => socket.write("open"));
  const sockets = [set.dial(), set.dial()];
  await Promise.all(sockets.map((socket) => once(socket, "data")));
  const codes = sockets.map((socket) => closing(socket));
  await set.tunnel[Symbol.asyncDispose]();
  await expect(Promise.all(codes)).resolves.toEqual(["ECONNRESET", "ECONNRESET"]);
  await expect.poll(() => isRefused(set.port)).toBe(true);
  // The exposed port is not lost.
  expect(set.tunnel.lost.aborted).toBe(false);
  await set.exposure[Symbol.asyncDispose]();
});

test("a cut tunnel reports it, at once and to later callers", async () => {
  await using set = await setUp(() => {});
  const lost = once(set.tunnel.lost, "abort");
  set.link.destroy();
  await lost;
  expect(String(set.tunnel.lost.reason)).toContain("the tunnel to the relay has ended");
  await expect(set.tunnel.expose([1])).rejects.toThrow("the tunnel to the relay has ended");
});

test("a later tunnel replaces the one before", async () => {
  await using set = await setUp((socket) => socket.end("old"));
  const lost = once(set.tunnel.lost, "abort");
  const link = createConnection(set.relay.port, RELAY_HOST);
  await using tunnel = await openTunnel(link, { host: SERVER_HOST });
  await lost;
  await using server = await serverOf((socket) => socket.end("new"));
  await using _ = await tunnel.expose([server.port]);
  await expect(text(dial(server.port))).resolves.toBe("new");
  await expect(isRefused(set.port)).resolves.toBe(true);
});

test("a connection that does not lead to a relay is an error", async () => {
  await using other = await serverOf((socket) => socket.destroy());
  const link = createConnection(other.port, SERVER_HOST);
  await expect(openTunnel(link)).rejects.toThrow("the tunnel to the relay has ended");
});
