import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { Gate } from "./gate.ts";

/** A gate in front of a server that says back what it is told. */
async function openGate(): Promise<Gate> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const gate = await Gate.open({ dial: () => behind(port) });
  onTestFinished(async () => {
    await gate[Symbol.asyncDispose]();
    server.close();
  });
  return gate;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const behind = (port: number): Socket => connect({ port, host: "127.0.0.1", allowHalfOpen: true });
const dial = (gate: Gate): Socket => connect(gate.port, "127.0.0.1").on("error", () => {});

/** `once` would take the error before it for its own. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}

async function echoed(gate: Gate): Promise<string> {
  const socket = dial(gate);
  socket.write("hello");
  const [said] = await once(socket, "data");
  socket.destroy();
  return String(said);
}

/** A connection through it, known to be there. */
async function open(gate: Gate): Promise<Socket> {
  const socket = dial(gate);
  socket.write("x");
  await once(socket, "data");
  return socket;
}

const whats = (gate: Gate): string[] => gate.activity().map(({ what }) => what);

test("passes bytes through, and tells when connections come and go", async () => {
  const gate = await openGate();
  const told: string[] = [];
  gate.subscribe(({ what }) => void told.push(what));
  await expect(echoed(gate)).resolves.toBe("hello");
  await expect.poll(() => whats(gate)).toEqual(["connection-opened", "connection-closed"]);
  expect(told).toEqual(whats(gate));
  expect(gate.activity()[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("what the broker says last arrives", async () => {
  const gate = await openGate();
  const socket = dial(gate);
  socket.end("goodbye");
  await expect(text(socket)).resolves.toBe("goodbye");
});

test("stopped, it cuts what is there and refuses what comes, until it serves on the same port", async () => {
  const gate = await openGate();
  const { port } = gate;
  const sockets = [await open(gate), await open(gate)];
  const ends = sockets.map((socket) => closed(socket));
  await expect(gate.stop()).resolves.toBe(2);
  await Promise.all(ends);
  const [refused] = await once(connect(port, "127.0.0.1"), "error");
  expect(refused).toMatchObject({ code: "ECONNREFUSED" });
  await expect(gate.stop()).resolves.toBe(0);
  await gate.serve();
  await gate.serve();
  expect(gate.port).toBe(port);
  await expect(echoed(gate)).resolves.toBe("hello");
});

test("a client that does not read what it is sent is cut as any other", async () => {
  let sending: Socket | undefined;
  const server = createServer((socket) => {
    sending = socket.on("error", () => {});
    // More than the kernels hold at both ends.
    socket.end(Buffer.alloc(64 * 1024 * 1024));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  await using gate = await Gate.open({ dial: () => behind(port) });
  const socket = dial(gate).pause();
  let left = Number.NaN;
  const isStuck = (): boolean => {
    const before = left;
    left = sending?.writableLength ?? Number.NaN;
    return left > 0 && left === before;
  };
  await expect.poll(isStuck, { interval: 50 }).toBe(true);
  await expect(gate.stop()).resolves.toBe(1);
  socket.destroy();
  server.close();
});

test("a broker that cannot be reached ends the client's connection", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await using gate = await Gate.open({ dial: () => behind(port) });
  await closed(dial(gate));
  await expect.poll(() => whats(gate)).toEqual(["connection-opened", "connection-closed"]);
});

test("as new, it knows nothing of what was, tells nobody, and serves", async () => {
  const gate = await openGate();
  const told: string[] = [];
  gate.subscribe(({ what }) => void told.push(what));
  await open(gate);
  await gate.stop();
  // Told before it has stopped, so that nothing of it comes later.
  expect(told).toEqual(["connection-opened", "connection-closed"]);
  await gate.reset();
  expect(gate.activity()).toEqual([]);
  await expect(echoed(gate)).resolves.toBe("hello");
  expect(told).toEqual(["connection-opened", "connection-closed"]);
});
