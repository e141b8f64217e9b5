/**
 * omega.yaml, the manifest of a PersistentVolumeClaim or the configuration directory is wrong. `faults` holds all
 * faults, each with its path.
 */
export class OmegaError extends Error {
  override readonly name = "OmegaError";
  readonly faults: readonly string[];

  constructor(place: string, faults: readonly string[], options?: { cause?: unknown }) {
    super(`${place}: ${faults.join("; ")}`, options);
    this.faults = faults;
  }
}
