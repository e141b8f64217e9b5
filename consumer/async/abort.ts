/**
 * The callbacks that wait for each signal. They share one listener, since Node walks through all listeners of a signal
 * whenever one is added.
 */
const waiters = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `callback` once when `signal` aborts, in the order of registration, and returns a function that takes it back.
 * Use it where many callbacks wait for one signal, such as the records of a batch. The signal must not have aborted
 * yet.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const waiting = waiters.get(signal) ?? listen(signal);
  waiting.add(callback);
  return () => void waiting.delete(callback);
}

/** Resolves when `signal` aborts, or at once when it has aborted already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, resolve);
  });
}

function listen(signal: AbortSignal): Set<() => void> {
  const waiting = new Set<() => void>();
  waiters.set(signal, waiting);
  const callAll = (): void => {
    for (const callback of waiting) callback();
    waiting.clear();
  };
  signal.addEventListener("abort", callAll, { once: true });
  return waiting;
}
