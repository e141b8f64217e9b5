import { constants } from "node:os";

/**
 * The names of errors by number. libuv lacks some, such as ESTALE, and Node then reports "Unknown system error -116"
 * as the code.
 */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [-number, name]),
);

/** Returns the error with the code of the system, as `ports.ts` promises. */
function withSystemCode(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const name = error.errno === undefined ? undefined : NAMES.get(error.errno);
  if (name !== undefined && error.code?.startsWith("Unknown system error") === true) {
    error.message = error.message.replace(error.code, name);
    error.code = name;
  }
  return error;
}

/** Calls a function of node:fs, and resolves with what it passes to its callback. */
export function result<T>(
  call: (end: (error: NodeJS.ErrnoException | null, value: T) => void) => void,
): Promise<T> {
  return new Promise((fulfil, reject) => {
    call((error, value) => {
      if (error === null) fulfil(value);
      else reject(withSystemCode(error));
    });
  });
}

export function done(
  call: (end: (error: NodeJS.ErrnoException | null) => void) => void,
): Promise<void> {
  return result<void>((end) => call((error) => end(error, undefined)));
}
