import { pause } from "../waiting.ts";
import { parseObject } from "./history-files.ts";

export const CONTRACT_FILE = "automation_action_history.json";

/** Judges a series of looks at automation_action_history.json. Gives one finding per violation. */
export class ContractFileChecker {
  readonly findings: string[] = [];
  #looks = 0;
  #keys = new Set<string>();
  #previous: string | null = null;

  /** How often the file was there. */
  get looks(): number {
    return this.#looks;
  }

  /** The keys that the file showed last. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  /** `undefined`: the file is absent, which is right only before it was there for the first time. */
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
    const { entries } = content;
    if (typeof entries !== "object" || entries === null) return this.#find("has no entries object");
    const keys = new Set(Object.keys(entries));
    for (const key of this.#keys) if (!keys.has(key)) this.#find(`lost key ${key}`);
    this.#keys = keys;
  }

  #find(what: string): void {
    this.findings.push(`${CONTRACT_FILE} ${what} (look ${this.#looks})`);
  }
}

/** Looks at the file over and over until it is stopped; the findings are the checker's. */
export class ContractFileWatch implements AsyncDisposable {
  readonly checker = new ContractFileChecker();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** `intervalMs` between two looks. */
  constructor(read: () => Promise<Uint8Array | undefined>, intervalMs: number) {
    this.#done = this.#watch(read, intervalMs);
    // Whoever disposes of this sees the error; until then it must not end the process.
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
