/** What the programs of the npm clients share: the task that they were given, and how they answer. */
import { createInterface } from "node:readline";

const lines = createInterface(process.stdin);
/** Ends with the standard input: a member leaves then. */
export const ended = new Promise((resolve) => void lines.once("close", resolve));

/** The task, one line of JSON. */
export const task = new Promise((resolve) => {
  lines.once("line", (line) => resolve(JSON.parse(line)));
});

/** Resolves when it is written: what is left in a pipe ends with the process. */
export function answer(result) {
  return new Promise(
    (resolve) => void process.stdout.write(`${JSON.stringify(result)}\n`, resolve),
  );
}

export const decode = (text) => (text === null ? null : Buffer.from(text, "base64"));
export const encode = (bytes) =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString("base64");
