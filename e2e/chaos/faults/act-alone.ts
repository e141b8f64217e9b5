import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";

const inForce = new WeakMap<object, Set<string>>();

/**
 * Keeps other faults of a deployment from doing the same to the same object until it is disposed,
 * since healing one of two would end the other. `what` completes "another fault acts on ...".
 * Throws FaultImpossibleError while another fault has it.
 */
export function actAlone(deployment: object, what: string): Disposable {
  const taken = inForce.get(deployment) ?? new Set<string>();
  inForce.set(deployment, taken);
  if (taken.has(what)) throw new FaultImpossibleError(`another fault acts on ${what}`);
  taken.add(what);
  return { [Symbol.dispose]: () => void taken.delete(what) };
}
