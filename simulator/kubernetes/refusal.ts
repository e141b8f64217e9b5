/** The reason why an API server refuses an object. */
export interface Refusal {
  /** The path of the field, such as `spec.template.spec.containers[0].image`. */
  readonly path: string;
  readonly rule: string;
  readonly value: unknown;
}

export interface RefusalOptions {
  /**
   * Accepts fractions of seconds, for short runs on a target that is no real cluster. Defaults to
   * false.
   */
  readonly fractions?: boolean;
}
