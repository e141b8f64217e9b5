/** Why an API server does not take an object. */
export interface Refusal {
  /** Of the field, such as `spec.template.spec.containers[0].image`. */
  readonly path: string;
  readonly rule: string;
  readonly value: unknown;
}

export interface RefusalOptions {
  /** Fractions of seconds are taken, for short runs on what is no real cluster. Default false. */
  readonly fractions?: boolean;
}
