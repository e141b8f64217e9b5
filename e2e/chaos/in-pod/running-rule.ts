import type { PodProcess } from "./control-server.ts";
import type { Hit, VolumeRule, VolumeRuleRequest } from "./volume-rule.ts";

/** A rule that is in force, with the calls that it met. */
export class RunningRule {
  readonly id: number;
  readonly hits: Hit[] = [];
  readonly reached: Promise<Hit>;
  readonly #request: VolumeRuleRequest;
  readonly #met: PodProcess[] = [];
  readonly #reach: (hit: Hit) => void;
  #held: { readonly process: PodProcess; readonly ask: number } | null = null;
  #isReleased = false;

  constructor(id: number, request: VolumeRuleRequest) {
    this.id = id;
    this.#request = request;
    const { promise, resolve } = Promise.withResolvers<Hit>();
    this.reached = promise;
    this.#reach = resolve;
  }

  /**
   * Returns the rule for this process: nothing, or the rule without what earlier processes of its
   * pod have used up.
   */
  forProcess({ pod, name }: PodProcess): VolumeRule[] {
    const { pod: only, times, ...rule } = this.#request;
    if (only !== null && only !== pod) return [];
    if (times === undefined) return [{ ...rule, id: this.id, times: null }];
    const used = this.#met.filter((met) => met.pod === pod && met.name !== name).length;
    return [{ ...rule, id: this.id, times: Math.max(times - used, 0) }];
  }

  meet(hit: Hit, process: PodProcess): void {
    this.hits.push(hit);
    this.#met.push(process);
  }

  /** Holds the call when it is the awaited one, and lets it continue otherwise. */
  ask(hit: Hit, process: PodProcess, ask: number): void {
    this.hits.push(hit);
    const { action } = this.#request;
    const isIt = action.type === "hold" && this.hits.length === action.ordinal;
    if (!isIt || this.#isReleased) {
      process.send({ type: "go", asks: [ask] });
      return;
    }
    this.#held = { process, ask };
    this.#reach(hit);
  }

  /** Releases what it holds, and holds nothing any more. */
  release(): void {
    this.#isReleased = true;
    this.#held?.process.send({ type: "go", asks: [this.#held.ask] });
    this.#held = null;
  }

  /** Forgets a process that is gone, with what it held. */
  forget(process: PodProcess): void {
    if (this.#held?.process === process) this.#held = null;
  }
}
