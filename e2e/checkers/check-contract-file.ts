import { pause } from "#e2e/base/waiting.ts";
import { parseObject } from "./history-files.ts";
import { isJsonObject } from "#consumer/json.ts";

export const CONTRACT_FILE = "automation_action_history.json";

/**
 * Checks successive readings of automation_action_history.json and collects one finding per
 * violation. Each pod publishes the file with what it knows, so an entry that is younger than the
 * stated freshness may appear, disappear and come back. An older one must be there, and none may
 * stay away (`missing`). The age of an entry counts from its end or from the first view that showed
 * it, whichever is later, since an entry that ends with a dead letter is written to the journal
 * after the dead letter is published.
 */
export class ContractFileChecker {
  readonly findings: string[] = [];
  /** The time from an entry to the first view that must show it, in milliseconds. */
  readonly #freshnessMs: number;
  /** The time from which on each key had to be shown, in milliseconds since the epoch. */
  readonly #shown = new Map<string, number>();
  readonly #found = new Set<string>();
  #looks = 0;
  #keys = new Set<string>();
  #previous: string | null = null;

  constructor(freshnessMs: number) {
    this.#freshnessMs = freshnessMs;
  }

  /** The number of readings in which the file was there. */
  get looks(): number {
    return this.#looks;
  }

  /** The keys that the file showed last. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  /** The keys that were shown once and are not shown now. */
  get missing(): readonly string[] {
    return [...this.#shown.keys()].filter((key) => !this.#keys.has(key));
  }

  /**
   * Checks one reading. `undefined` means that the file is absent, which is correct only until it
   * is there for the first time.
   */
  look(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      if (this.#looks > 0) this.#find("vanished");
      return;
    }
    this.#looks += 1;
    const text = Buffer.from(bytes).toString("latin1");
    if (text === this.#previous) return;
    this.#previous = text;
    this.#judge(bytes);
  }

  #judge(bytes: Uint8Array): void {
    const content = parseObject(bytes);
    if (content === undefined) return this.#find(`does not parse (${bytes.length} bytes)`);
    if (content.format !== 1) this.#find(`format is ${String(content.format)}, not 1`);
    if (typeof content.publishedAtMs !== "number") this.#find("publishedAtMs is not a number");
    const { entries, publishedAtMs } = content;
    if (!isJsonObject(entries)) return this.#find("has no entries object");
    this.#keys = new Set(Object.keys(entries));
    for (const [key, entry] of Object.entries(entries)) {
      if (!isJsonObject(entry) || typeof entry.atMs !== "number") {
        this.#find(`key ${key} has no atMs`);
      } else if (!this.#shown.has(key)) {
        this.#shown.set(key, Math.max(entry.atMs, Number(publishedAtMs)));
      }
    }
    for (const key of this.missing) this.#judgeMissing(key, Number(publishedAtMs));
  }

  #judgeMissing(key: string, publishedAtMs: number): void {
    const ageMs = publishedAtMs - (this.#shown.get(key) ?? publishedAtMs);
    if (ageMs <= this.#freshnessMs || this.#found.has(key)) return;
    this.#found.add(key);
    this.#find(`lost key ${key}, ${ageMs} ms after it was to be shown`);
  }

  #find(what: string): void {
    this.findings.push(`${CONTRACT_FILE} ${what} (look ${this.#looks})`);
  }
}

/** Reads the file again and again until it is stopped. The findings are the checker's. */
export class ContractFileWatch implements AsyncDisposable {
  readonly checker: ContractFileChecker;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** `intervalMs` is the time between two readings; `freshnessMs` is that of the checker. */
  constructor(
    read: () => Promise<Uint8Array | undefined>,
    { intervalMs, freshnessMs }: { readonly intervalMs: number; readonly freshnessMs: number },
  ) {
    this.checker = new ContractFileChecker(freshnessMs);
    this.#done = this.#watch(read, intervalMs);
    // The error is thrown by the disposal; until then it must not end the process.
    this.#done.catch(() => {});
  }

  async #watch(read: () => Promise<Uint8Array | undefined>, intervalMs: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.checker.look(await read());
      await pause(intervalMs, this.#stop.signal).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
