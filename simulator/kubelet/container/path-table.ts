import { posix } from "node:path";

/** Maps container paths to host paths. The longest matching container path wins. */
export class PathTable {
  readonly #entries: readonly (readonly [container: string, host: string])[];
  readonly #pattern: RegExp | undefined;

  constructor(entries: Iterable<readonly [container: string, host: string]>) {
    this.#entries = [...entries].toSorted(([a], [b]) => b.length - a.length);
    if (this.#entries.length > 0) {
      const paths = this.#entries.map(([container]) => RegExp.escape(container)).join("|");
      this.#pattern = new RegExp(
        String.raw`(?<![^\s"'=:;,()<>|&\x60{}@])(?:${paths})(?![^/\s"':;,()<>|&\x60{}])`,
        "g",
      );
    }
  }

  /** Returns undefined when the table does not hold the path: then it is the host's own. */
  toHost(path: string): string | undefined {
    const normal = posix.normalize(path);
    for (const [container, host] of this.#entries) {
      if (normal === container || normal.startsWith(`${container}/`)) {
        return host + normal.slice(container.length);
      }
    }
    return undefined;
  }

  /**
   * Replaces every path of the table in `text`, which may be a whole argument, `--file=PATH`, or
   * shell code.
   */
  translate(text: string): string {
    if (this.#pattern === undefined) {
      return text;
    }
    return text.replace(this.#pattern, (path) => this.toHost(path) ?? path);
  }
}
