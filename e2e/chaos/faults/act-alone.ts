import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";

const inForce = new WeakMap<object, Set<string>>();

/**
 * Keeps other faults of a deployment from doing the same to the same thing until it is disposed: of two, the one that is healed first would end
 * the other. `what` completes "another fault acts on ..."; throws FaultImpossibleError while another fault has it.
 */
export function actAlone(deployment: object, what: string): Disposable {
  const taken = inForce.get(deployment) ?? new Set<string>();
  inForce.set(deployment, taken);
  if (taken.has(what)) throw new FaultImpossibleError(`another fault acts on ${what}`);
  taken.add(what);
  return { [Symbol.dispose]: () => void taken.delete(what) };
}
