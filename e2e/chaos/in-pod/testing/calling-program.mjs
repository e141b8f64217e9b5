/**
 * A program for tests: it makes the calls of node:fs that it reads as lines of JSON, all at once,
 * and prints the result of each as a line. The end of its input ends it.
 */
import * as fs from "node:fs";
import { createInterface } from "node:readline";
import { createFiles } from "#consumer/adapters/files/files.ts";

const files = createFiles(process.env.HISTORY_DIR ?? "/");
const OTHERS = {
  dates: () => ({
    now: Date.now(),
    made: new Date().getTime(),
    text: Date(),
    system: performance.timeOrigin + performance.now(),
  }),
  descriptors: () => fs.readdirSync("/proc/self/fd").length,
  list: (path) => files.list(path),
  listEach: async (path) => {
    const names = [];
    for await (const name of files.listEach(path)) names.push(name);
    return names;
  },
  read: async (path) => Buffer.from(await files.read(path)).toString(),
  syncDirectory: (path) => files.syncDirectory(path),
  write: async (path, text) => {
    const file = await files.createExclusive(path);
    try {
      await file.append(Buffer.from(text));
      await file.dataSync();
    } finally {
      await file.close();
    }
  },
};

const lines = createInterface({ input: process.stdin });
say({ ready: true });
for await (const line of lines) {
  const { id, call, parameters } = JSON.parse(line);
  make(call, parameters).then(
    (value) => say({ id, value }),
    (error) => say({ id, error: { ...error, message: error.message } }),
  );
}

async function make(call, parameters) {
  const other = OTHERS[call];
  if (other !== undefined) return await other(...parameters);
  return await new Promise((fulfil, reject) => {
    fs[call](...parameters, (error, value) => {
      if (error) reject(error);
      else fulfil(typeof value === "object" ? null : value);
    });
  });
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
