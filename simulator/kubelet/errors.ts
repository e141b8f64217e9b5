/** A request names something absent, or asks for something that is not possible now. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

/** An object has a kind, field or value that this runtime does not implement. */
export class UnsupportedObjectError extends Error {
  override readonly name = "UnsupportedObjectError";
  /** One `Kind/name path: reason` for each fault, for all objects of the request. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The local cluster refuses the objects:\n${faults.join("\n")}`);
    this.faults = faults;
  }
}
