import type { Writable } from "node:stream";

export interface LineSinkOptions {
  /** Opens the destination, and opens it again `REOPEN_MS` after it failed. */
  readonly open: () => Writable;
  /** The most bytes that may wait for a destination that takes nothing. */
  readonly bytesMax: number;
  /** Called when the destination has failed; only once, until it takes lines again. */
  readonly onFailed: (error: unknown) => void;
  /** Called when lines were dropped, because too much waited or the destination had failed. */
  readonly onDropped: (lines: number) => void;
  /** Called when the destination takes lines again, with the number of lines that it missed. */
  readonly onResumed: (lines: number) => void;
}

/**
 * Takes lines and never blocks. Lines that the destination does not take are kept up to a bound; beyond it they are
 * dropped and counted.
 */
export interface LineSink {
  write(line: string): void;
  /**
   * Resolves when everything is written, or after `durationMsMax`. With `end`, the destination takes nothing
   * afterwards.
   */
  flush(durationMsMax: number, end: boolean): Promise<void>;
}

const REOPEN_MS = 5000;

export function createLineSink(options: LineSinkOptions): LineSink {
  const { bytesMax } = options;
  let stream: Writable | undefined;
  let ended = false;
  let failing = false;
  /** True from the first line that was dropped until half of the room is free again. */
  let full = false;
  /** The number of lines that were dropped since the destination last took one. */
  let dropped = 0;
  /** The number of lines that were given to the destination and are not acknowledged yet. */
  let waiting = 0;
  let onIdle: (() => void) | undefined;

  function drop(lines: number): void {
    dropped += lines;
    options.onDropped(lines);
  }

  function open(): void {
    const opened = options.open();
    stream = opened;
    opened.on("error", (error) => {
      if (stream !== opened) return;
      stream = undefined;
      if (!failing) options.onFailed(error);
      failing = true;
      onIdle?.();
      if (!ended) setTimeout(open, REOPEN_MS).unref();
    });
  }

  function answered(from: Writable, error: unknown): void {
    waiting -= 1;
    if (waiting === 0) onIdle?.();
    if (error !== undefined && error !== null) {
      drop(1);
      return;
    }
    failing = false;
    if (from.writableLength > bytesMax / 2) return;
    full = false;
    if (dropped === 0) return;
    const missed = dropped;
    dropped = 0;
    options.onResumed(missed);
  }

  open();
  return {
    write(line) {
      if (ended) return;
      full ||= stream !== undefined && stream.writableLength + line.length > bytesMax;
      if (stream === undefined || full) {
        drop(1);
        return;
      }
      const to = stream;
      waiting += 1;
      to.write(line, (error) => answered(to, error));
    },
    async flush(durationMsMax, end) {
      ended ||= end;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, durationMsMax);
      const target = stream;
      if (end && target !== undefined) {
        target.once("close", resolve);
        onIdle = () => void (stream === undefined && resolve());
        target.end();
      } else if (waiting === 0 || target === undefined) {
        resolve();
      } else {
        onIdle = resolve;
      }
      await promise;
      clearTimeout(timer);
      onIdle = undefined;
    },
  };
}
