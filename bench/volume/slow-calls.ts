import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, promises as fs, read, writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { THREADS } from "../child.ts";

/** What a slow volume did to this process. Disposing makes it fast again, when the calls that wait have ended. */
interface SlowCalls extends AsyncDisposable {
  /** File system calls that were delayed until now. */
  calls(): number;
}

const FUNCTIONS = ["mkdir", "link", "rename", "unlink", "readdir", "stat", "rm"] as const;
const HANDLE_FUNCTIONS = ["read", "write", "writev", "datasync", "sync", "stat", "close"] as const;

type Delayed = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * Every call of `node:fs/promises` takes `delayMs` more, and holds a libuv thread for that long, as a call on NFS
 * does: the thread reads from a pipe, into which another process writes one byte for each request, late. No more
 * calls are begun than there are threads, so that the delay counts from the moment a thread has it.
 */
export async function slowCalls(delayMs: number): Promise<SlowCalls> {
  const directory = await fs.mkdtemp(join(tmpdir(), "slow-calls-"));
  const [requests, replies] = [join(directory, "requests"), join(directory, "replies")];
  await promisify(execFile)("mkfifo", [requests, replies]);
  // For both: the opening of one end alone would block.
  const requestEnd = openSync(requests, constants.O_RDWR);
  const replyEnd = openSync(replies, constants.O_RDWR);
  const answerer = spawn(
    process.execPath,
    [
      fileURLToPath(new URL("../late-answers.ts", import.meta.url)),
      requests,
      replies,
      `${delayMs}`,
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  await once(answerer, "spawn");

  const waiting: (() => void)[] = [];
  const idle = Promise.withResolvers<void>();
  let calls = 0;
  let underWay = 0;
  let ending = false;
  const delayed: Delayed = async (call) => {
    // Files that were opened before go on asking.
    if (ending) return call();
    calls += 1;
    if (underWay < THREADS) underWay += 1;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    try {
      writeSync(requestEnd, "?");
      await readByte(replyEnd);
      return await call();
    } finally {
      const next = waiting.shift();
      if (next === undefined) underWay -= 1;
      else next();
      if (ending && underWay === 0) idle.resolve();
    }
  };
  const restore = patch(delayed);
  return {
    calls: () => calls,
    [Symbol.asyncDispose]: async () => {
      restore();
      ending = true;
      if (underWay > 0) await idle.promise;
      answerer.kill();
      await once(answerer, "exit");
      closeSync(requestEnd);
      closeSync(replyEnd);
      await fs.rm(directory, { recursive: true });
    },
  };
}

function patch(delayed: Delayed): () => void {
  const original = { ...fs };
  for (const name of FUNCTIONS) slowDown(fs, name, delayed);
  const open: typeof fs.open = async (...parameters) => {
    const handle = await delayed(() => original.open(...parameters));
    for (const name of HANDLE_FUNCTIONS) slowDown(handle, name, delayed);
    return handle;
  };
  // The platform's own one opens, asks for the size, reads and closes below what can be replaced.
  const readFile = async (path: string): Promise<Uint8Array> => {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      const bytes = new Uint8Array(size);
      await handle.read(bytes, 0, size, 0);
      return bytes;
    } finally {
      await handle.close();
    }
  };
  Object.assign(fs, { open, readFile });
  syncBuiltinESMExports();
  return () => {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  };
}

function slowDown(owner: object, name: string, delayed: Delayed): void {
  const call: unknown = Reflect.get(owner, name);
  if (typeof call !== "function") throw new TypeError(`there is no ${name}`);
  Reflect.set(owner, name, (...parameters: unknown[]) =>
    delayed(async () => {
      const result: unknown = await Reflect.apply(call, owner, parameters);
      return result;
    }),
  );
}

function readByte(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    read(descriptor, Buffer.alloc(1), 0, 1, null, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
