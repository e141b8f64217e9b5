/**
 * Returns the rules that apply to a call in this phase, in the order in which they were made. `met`
 * counts the calls of each rule, by its number.
 */
export function matching({ rules, met }, call, phase) {
  return rules.filter(
    ({ id, times, ...rule }) =>
      rule.phase === phase &&
      rule.operations.includes(call.operation) &&
      (rule.purposes === null || rule.purposes.includes(call.purpose)) &&
      (times === null || (met.get(id) ?? 0) < times),
  );
}
