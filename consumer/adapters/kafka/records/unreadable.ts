/**
 * Thrown when the bytes at a position cannot be read, which waiting will not change. It never leaves the adapter,
 * where it makes a partition stand still.
 */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly standstill: "unreadable" | "too-large";

  constructor(detail: string, why: "unreadable" | "too-large" = "unreadable") {
    super(detail);
    this.standstill = why;
  }
}
