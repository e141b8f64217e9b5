/** What lies at a position cannot be read, and will not change by waiting. Never leaves the adapter: a partition stands still by it. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly standstill: "unreadable" | "too-large";

  constructor(detail: string, why: "unreadable" | "too-large" = "unreadable") {
    super(detail);
    this.standstill = why;
  }
}
