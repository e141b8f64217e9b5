import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs, { closeSync, constants, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { THREADS } from "../run-program.ts";

/**
 * The slow calls of this process. Disposing makes them fast again when the waiting calls have
 * ended.
 */
interface SlowCalls extends AsyncDisposable {
  /** Returns the number of file system calls that were delayed until now. */
  calls(): number;
}

/** The functions that the history volume is used through. */
const FUNCTIONS = [
  "close",
  "fdatasync",
  "fstat",
  "fsync",
  "link",
  "mkdir",
  "open",
  "read",
  "readdir",
  "rename",
  "unlink",
  "write",
] as const;

const { read } = fs;

/**
 * Delays every call of `node:fs` by `delayMs` and holds a libuv thread for that long, as a call on
 * NFS does: the thread reads from a pipe into which another process writes one byte for each
 * request, late. No more calls begin than there are threads, so that the delay counts from the
 * moment at which a thread has the call.
 */
export async function slowCalls(delayMs: number): Promise<SlowCalls> {
  const directory = await mkdtemp(join(tmpdir(), "slow-calls-"));
  const [requests, replies] = [join(directory, "requests"), join(directory, "replies")];
  await promisify(execFile)("mkfifo", [requests, replies]);
  // Each end is opened for both reading and writing, since opening one alone would block.
  const requestEnd = openSync(requests, constants.O_RDWR);
  const replyEnd = openSync(replies, constants.O_RDWR);
  const program = fileURLToPath(new URL("late-answers.ts", import.meta.url));
  const argv = [program, requests, replies, String(delayMs)];
  const answerer = spawn(process.execPath, argv, { stdio: ["ignore", "inherit", "inherit"] });
  await once(answerer, "spawn");

  const idle = Promise.withResolvers<void>();
  const waiting: (() => void)[] = [];
  let calls = 0;
  let underWay = 0;
  let ending = false;
  const begin = (call: (ended: () => void) => void): void => {
    writeSync(requestEnd, "?");
    read(replyEnd, Buffer.alloc(1), 0, 1, null, () => call(end));
  };
  const end = (): void => {
    const next = waiting.shift();
    if (next) next();
    else underWay -= 1;
    if (ending && underWay === 0) idle.resolve();
  };
  const restore = delayAll((call) => {
    calls += 1;
    if (underWay === THREADS) {
      waiting.push(() => begin(call));
    } else {
      underWay += 1;
      begin(call);
    }
  });
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
      await rm(directory, { recursive: true });
    },
  };
}

/** Runs each call through `delay` and returns a function that undoes this. */
function delayAll(delay: (call: (ended: () => void) => void) => void): () => void {
  const original = { ...fs };
  for (const name of FUNCTIONS) {
    const slow = (...parameters: unknown[]): void => {
      const callback = parameters.pop();
      if (typeof callback !== "function") throw new TypeError(`${name} without a callback`);
      delay((ended) => {
        const end = (...results: unknown[]): void => {
          ended();
          Reflect.apply(callback, undefined, results);
        };
        Reflect.apply(original[name], fs, [...parameters, end]);
      });
    };
    Reflect.set(fs, name, slow);
  }
  syncBuiltinESMExports();
  return () => {
    for (const name of FUNCTIONS) Reflect.set(fs, name, original[name]);
    syncBuiltinESMExports();
  };
}
