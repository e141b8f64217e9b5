import { constants } from "node:os";
import { getSystemErrorMessage, getSystemErrorName } from "node:util";
import { expect, test } from "vitest";
import { result } from "./system-call.ts";

/** Creates a system error as Node does, with the message that libuv has for its number. */
function systemError(name: keyof typeof constants.errno): NodeJS.ErrnoException {
  const errno = -constants.errno[name];
  const code = getSystemErrorName(errno);
  const error = new Error(`${code}: ${getSystemErrorMessage(errno)}, read`);
  return Object.assign(error, { errno, code, syscall: "read" });
}

test.each(["ESTALE", "EDQUOT", "ENOLCK", "EIO", "ENOSPC"] as const)(
  "%s has its name as the code, also where libuv knows no name",
  async (name) => {
    const failing = result<number>((end) => end(systemError(name), 0));
    await expect(failing).rejects.toMatchObject({
      code: name,
      errno: -constants.errno[name],
      syscall: "read",
      message: expect.stringMatching(new RegExp(`^${name}: `)),
    });
  },
);

test("what is no error of the system stays as it is", async () => {
  const error = Object.assign(new Error("closed"), { code: "ERR_STREAM_DESTROYED" });
  await expect(result<number>((end) => end(error, 0))).rejects.toBe(error);
  expect(error.code).toBe("ERR_STREAM_DESTROYED");
});
