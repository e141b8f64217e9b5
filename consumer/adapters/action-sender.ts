import type { ActionSender, IdentitySource } from "#consumer/ports.ts";
import { sendCommand } from "./command-action.ts";
import { sendHttp } from "./http/http-action.ts";

/** Sends HTTP requests and runs commands. Disposing kills the commands that still run. */
export function createActionSender(options: {
  readonly identity: IdentitySource;
}): ActionSender & Disposable {
  const closing = new AbortController();
  return {
    send: (action, sending) =>
      action.type === "http"
        ? sendHttp(action, { ...sending, identity: options.identity })
        : sendCommand(action, { ...sending, closing: closing.signal }),
    [Symbol.dispose]: () => closing.abort(),
  };
}
