import { UsageError } from "#e2e/errors.ts";
import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import { FAULT_KINDS } from "#e2e/chaos/faults/index.ts";
import { familyOf } from "./kinds.ts";

/**
 * Returns the faults with these names or of these families, in the order of the documentation, and
 * all when there is no name. Throws UsageError for unknown names.
 */
export function selectFaults(
  names: readonly string[],
  kinds: readonly FaultKind[] = FAULT_KINDS,
): readonly FaultKind[] {
  if (names.length === 0) return kinds;
  const known = new Set(kinds.flatMap((kind) => [familyOf(kind), kind.name]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `--faults must be names or families of faults, got ${unknown.join(", ")}; ` +
        `known: ${[...known].toSorted().join(", ")}`,
    );
  }
  return kinds.filter((kind) => names.includes(kind.name) || names.includes(familyOf(kind)));
}
