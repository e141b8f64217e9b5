/** Who waits for each signal: one listener a signal, since Node walks all of them at every one that is added. */
const waiters = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `callback` once when `signal` aborts, in the order of the calls; the result takes it back. For the many
 * records of a batch that share one signal. The signal must not have aborted yet.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const waiting = waiters.get(signal) ?? listen(signal);
  waiting.add(callback);
  return () => void waiting.delete(callback);
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
