import { randomUUID } from "node:crypto";
import { connect } from "node:net";

const RETRY_MS = 100;

/**
 * Connects to the control server. Resolves when the first state is in force, and throws when that
 * takes longer than `waitMsMax`. The connection keeps no process from ending. When it is lost,
 * nothing that it brought stays in force, and it is made again; the server treats that as an error
 * of the kit.
 */
export async function connectControl({ host, port, token, pod, waitMsMax, takeState }) {
  const process = randomUUID();
  /** Waiting calls by number; each entry lets one continue. */
  const waiting = new Map();
  let asks = 0;
  let lost = 0;
  let socket;

  const send = (message) => socket?.write(`${JSON.stringify(message)}\n`);
  const letGo = (numbers) => {
    for (const ask of numbers) {
      waiting.get(ask)?.();
      waiting.delete(ask);
    }
    if (waiting.size === 0) socket?.unref();
  };
  const receive = (message) => {
    if (message.type === "go") return letGo(message.asks);
    const clockAheadMs = takeState(message);
    send({ type: "taken", version: message.version, clockAheadMs });
  };

  const open = (onTaken) => {
    const connection = connect({ host, port, noDelay: true });
    let isKnown = false;
    connection.once("connect", () => {
      socket = connection;
      send({ type: "hello", token, pod, process, pid: globalThis.process.pid, lost });
    });
    onLine(connection, (line) => {
      receive(JSON.parse(line));
      if (isKnown) return;
      isKnown = true;
      onTaken?.();
      connection.unref();
    });
    // An error is followed by "close".
    connection.on("error", () => {});
    connection.once("close", () => {
      socket = undefined;
      if (isKnown) {
        lost += 1;
        takeState({ rules: [], clockOffsetMs: 0 });
        letGo([...waiting.keys()]);
      }
      const again = setTimeout(open, RETRY_MS, isKnown ? undefined : onTaken);
      if (isKnown || onTaken === undefined) again.unref();
    });
    // A process that has lost the connection must be able to end.
    if (onTaken === undefined) connection.unref();
  };

  await new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(
        new Error(
          `the control server of the kit at ${host}:${port} gave no rules within ${waitMsMax} ms`,
        ),
      );
    }, waitMsMax);
    open(() => {
      clearTimeout(late);
      resolve();
    });
  });

  return {
    met: (rule, { syscall, path }) => send({ type: "met", rule, syscall, path }),
    /**
     * Resolves when the server lets the call continue. A waiting call keeps the process alive, as a
     * system call does.
     */
    ask: (rule, { syscall, path }) => {
      if (socket === undefined) return Promise.resolve();
      asks += 1;
      const ask = asks;
      return new Promise((resolve) => {
        waiting.set(ask, resolve);
        socket.ref();
        send({ type: "asks", ask, rule, syscall, path });
      });
    },
  };
}

function onLine(connection, take) {
  let rest = "";
  connection.setEncoding("utf8");
  connection.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) take(line);
  });
}
