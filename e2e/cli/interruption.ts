import { EXIT_CODE } from "#e2e/errors.ts";

/** npm passes on a ^C that the terminal has already sent to the whole group: both are one. */
const ONE_INTERRUPT_MS = 1000;

/**
 * Aborts at the first ^C (or SIGTERM, SIGHUP), and when nobody reads the output any more. A second ^C ends the
 * process at once.
 */
export function listenForInterrupts(outputClosed: AbortSignal): AbortSignal {
  const interrupt = new AbortController();
  let firstMs = 0;
  const onSignal = (): void => {
    if (!interrupt.signal.aborted) {
      firstMs = performance.now();
      // First, so that lines which change on the terminal are out of the way of the message.
      interrupt.abort(new Error("interrupted"));
      process.stderr.write("\ninterrupted: taking everything down (again: at once)\n");
    } else if (performance.now() - firstMs > ONE_INTERRUPT_MS) {
      process.exit(EXIT_CODE.interrupted);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  const onClosed = (): void => interrupt.abort(new Error("nobody reads the output"));
  if (outputClosed.aborted) onClosed();
  else outputClosed.addEventListener("abort", onClosed);
  return interrupt.signal;
}

/** Aborts when the reader of the output is gone (`| head`), which is no error of this process. */
export function watchOutput(): AbortSignal {
  const closed = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      closed.abort();
    });
  }
  return closed.signal;
}
