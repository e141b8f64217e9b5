/**
 * This module is shared by the programs of the npm clients: it reads their task and writes their
 * answers.
 */
import { createInterface } from "node:readline";

const lines = createInterface(process.stdin);
/** Resolves at the end of the standard input: a member leaves then. */
export const ended = new Promise((resolve) => void lines.once("close", resolve));

/** The task, one line of JSON. */
export const task = new Promise((resolve) => {
  lines.once("line", (line) => resolve(JSON.parse(line)));
});

/** Resolves when the result is written: what is left in a pipe is lost with the process. */
export function answer(result) {
  return new Promise(
    (resolve) => void process.stdout.write(`${JSON.stringify(result)}\n`, resolve),
  );
}

export const decode = (text) => (text === null ? null : Buffer.from(text, "base64"));
export const encode = (bytes) =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString("base64");
