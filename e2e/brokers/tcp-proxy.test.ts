import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { TcpProxy } from "./tcp-proxy.ts";

/** Opens a proxy in front of a server that echoes what it receives. */
async function openProxy(): Promise<TcpProxy> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const proxy = await TcpProxy.open({ dial: () => behind(port) });
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    server.close();
  });
  return proxy;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const behind = (port: number): Socket => connect({ port, host: "127.0.0.1", allowHalfOpen: true });
const dial = (proxy: TcpProxy): Socket => connect(proxy.port, "127.0.0.1").on("error", () => {});

/** Resolves when the socket closes. `once` of node:events would reject with an error that comes before the close. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}

async function echoed(proxy: TcpProxy): Promise<string> {
  const socket = dial(proxy);
  socket.write("hello");
  const [said] = await once(socket, "data");
  socket.destroy();
  return String(said);
}

/** Opens a connection through the proxy and waits until it is established. */
async function open(proxy: TcpProxy): Promise<Socket> {
  const socket = dial(proxy);
  socket.write("x");
  await once(socket, "data");
  return socket;
}

const whats = (proxy: TcpProxy): string[] => proxy.activity().map(({ what }) => what);

test("passes bytes through, and reports opened and closed connections", async () => {
  const proxy = await openProxy();
  const seen: string[] = [];
  proxy.subscribe(({ what }) => void seen.push(what));
  await expect(echoed(proxy)).resolves.toBe("hello");
  await expect.poll(() => whats(proxy)).toEqual(["connection-opened", "connection-closed"]);
  expect(seen).toEqual(whats(proxy));
  expect(proxy.activity()[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("the last bytes of the broker arrive", async () => {
  const proxy = await openProxy();
  const socket = dial(proxy);
  socket.end("goodbye");
  await expect(text(socket)).resolves.toBe("goodbye");
});

test("a stopped proxy cuts and refuses connections until it serves on the same port again", async () => {
  const proxy = await openProxy();
  const { port } = proxy;
  const sockets = [await open(proxy), await open(proxy)];
  const ends = sockets.map((socket) => closed(socket));
  await expect(proxy.stop()).resolves.toBe(2);
  await Promise.all(ends);
  const [refused] = await once(connect(port, "127.0.0.1"), "error");
  expect(refused).toMatchObject({ code: "ECONNREFUSED" });
  await expect(proxy.stop()).resolves.toBe(0);
  await proxy.serve();
  await proxy.serve();
  expect(proxy.port).toBe(port);
  await expect(echoed(proxy)).resolves.toBe("hello");
});

test("a client that does not read its data is cut like any other", async () => {
  let sending: Socket | undefined;
  const server = createServer((socket) => {
    sending = socket.on("error", () => {});
    // This is more than the kernel buffers at both ends can hold.
    socket.end(Buffer.alloc(64 * 1024 * 1024));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  await using proxy = await TcpProxy.open({ dial: () => behind(port) });
  const socket = dial(proxy).pause();
  let left = Number.NaN;
  const isStuck = (): boolean => {
    const before = left;
    left = sending?.writableLength ?? Number.NaN;
    return left > 0 && left === before;
  };
  await expect.poll(isStuck, { interval: 50 }).toBe(true);
  await expect(proxy.stop()).resolves.toBe(1);
  socket.destroy();
  server.close();
});

test("a broker that cannot be reached ends the client's connection", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await using proxy = await TcpProxy.open({ dial: () => behind(port) });
  await closed(dial(proxy));
  await expect.poll(() => whats(proxy)).toEqual(["connection-opened", "connection-closed"]);
});

test("a reset proxy has no activity and no subscribers, and serves", async () => {
  const proxy = await openProxy();
  const seen: string[] = [];
  proxy.subscribe(({ what }) => void seen.push(what));
  await open(proxy);
  await proxy.stop();
  // The listener is notified before the proxy has stopped, so nothing about the old connection comes later.
  expect(seen).toEqual(["connection-opened", "connection-closed"]);
  await proxy.reset();
  expect(proxy.activity()).toEqual([]);
  await expect(echoed(proxy)).resolves.toBe("hello");
  expect(seen).toEqual(["connection-opened", "connection-closed"]);
});
