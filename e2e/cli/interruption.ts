import { EXIT_CODE } from "#e2e/errors.ts";

/**
 * The time within which two signals count as one ^C, in milliseconds. The terminal sends ^C to the whole process group,
 * and npm passes it on once more.
 */
const ONE_INTERRUPT_MS = 1000;

/**
 * Returns a signal that aborts at the first ^C (or SIGTERM or SIGHUP), and when the output is no longer read. A second
 * ^C ends the process at once.
 */
export function listenForInterrupts(outputClosed: AbortSignal): AbortSignal {
  const interrupt = new AbortController();
  let firstMs = 0;
  const onSignal = (): void => {
    if (!interrupt.signal.aborted) {
      firstMs = performance.now();
      // The abort comes first, so that the changing lines on the terminal are cleared before the message.
      interrupt.abort(new Error("interrupted"));
      process.stderr.write(
        "\ninterrupted: taking everything down; interrupt again to end at once\n",
      );
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

/**
 * Returns a signal that aborts when the reader of the output is gone (`| head`), which is not an error of this process.
 */
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
