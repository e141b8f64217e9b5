import { constants } from "node:os";
import { getSystemErrorMessage, getSystemErrorName } from "node:util";

/**
 * Returns the error that Node makes of a system call that failed with this code. libuv has no name
 * for some codes, such as ESTALE, for which Node reports "Unknown system error -116", and so does
 * this.
 */
export function systemError(code, { syscall, path, dest }) {
  const errno = -constants.errno[code];
  const name = getSystemErrorName(errno);
  const names = [path, dest].filter((one) => one !== undefined).map((one) => `'${one}'`);
  const place = names.length === 0 ? "" : ` ${names.join(" -> ")}`;
  const error = new Error(`${name}: ${getSystemErrorMessage(errno)}, ${syscall}${place}`);
  return Object.assign(
    error,
    { errno, code: name, syscall },
    path === undefined ? {} : { path },
    dest === undefined ? {} : { dest },
  );
}
