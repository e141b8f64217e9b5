/** omega.yaml after validation. */
export interface Omega {
  readonly appName: string;
}

/** Validates omega.yaml whole. Throws OmegaError with every fault. */
export function parseOmega(_text: string): Omega {
  throw new Error("not yet");
}
