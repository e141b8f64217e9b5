/**
 * A fault that a test or a scenario depends on never happened, so its success would prove nothing.
 */
export class FaultNeverFiredError extends Error {
  override readonly name = "FaultNeverFiredError";
}
