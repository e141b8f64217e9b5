import { constants } from "node:os";

/** Names by number; libuv has none for some, such as ESTALE, and Node then says "Unknown system error -116" for the code. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [-number, name]),
);

/** The error with the code of the system, as `ports.ts` promises it. */
function withSystemCode(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const name = error.errno === undefined ? undefined : NAMES.get(error.errno);
  if (name !== undefined && error.code?.startsWith("Unknown system error") === true) {
    error.message = error.message.replace(error.code, name);
    error.code = name;
  }
  return error;
}

/** What a call of node:fs gives to its callback. */
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
