import { pause } from "#e2e/base/waiting.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";

/** Between two looks whether a fault has fired. */
const PROOF_INTERVAL_MS = 50;

/** A fault that was injected, and is healed in time or at the end. */
export class InjectedStep {
  readonly number: number;
  readonly kind: FaultKind;
  /** Its target; "" for the whole deployment. */
  readonly pod: string;
  readonly injectedAtMs: number;
  readonly #fault: InjectedFault;
  readonly #onFired: (step: InjectedStep, proof: string) => void;
  readonly #onHealed: (step: InjectedStep, beginMs: number) => void;
  #proof: string | null = null;
  #healing: Promise<void> | null = null;
  #timed: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly number: number;
    readonly kind: FaultKind;
    readonly pod: string;
    readonly fault: InjectedFault;
    readonly onFired: (step: InjectedStep, proof: string) => void;
    /** `beginMs`: from then on it may have been gone, milliseconds since the epoch. */
    readonly onHealed: (step: InjectedStep, beginMs: number) => void;
  }) {
    this.number = options.number;
    this.kind = options.kind;
    this.pod = options.pod;
    this.injectedAtMs = Date.now();
    this.#fault = options.fault;
    this.#onFired = options.onFired;
    this.#onHealed = options.onHealed;
  }

  /** What proves that it fired; null as long as nothing does. */
  get proof(): string | null {
    return this.#proof;
  }

  get isHealed(): boolean {
    return this.#healing !== null;
  }

  /** Asks for the proof, unless it is there. */
  async confirm(): Promise<void> {
    if (this.#proof !== null) return;
    const proof = await this.#fault.fired();
    // Two who ask at the same time tell it once.
    if (proof === undefined || this.#proof !== null) return;
    this.#proof = proof;
    this.#onFired(this, proof);
  }

  /**
   * Heals it after that time, unless it is healed before. One that has not fired by then stays for at most `fireMsMax` more: nothing had come
   * its way. A failure is thrown by `heal`, which everybody ends with.
   */
  healAfter(elapsedMs: number, fireMsMax: number, signal: AbortSignal): void {
    const heal = async (): Promise<void> => {
      await pause(elapsedMs, signal);
      await this.awaitProof(fireMsMax, signal);
      await this.heal();
    };
    this.#timed = heal();
    this.#timed.catch(() => {});
  }

  /** Resolves when it was healed in its time; at once when it has none. Throws what its healing throws. */
  async healedInTime(): Promise<void> {
    await this.#timed;
  }

  /** Asks again and again until it has fired, is healed, or the time is over. */
  async awaitProof(waitMsMax: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + waitMsMax;
    for (;;) {
      await this.confirm();
      if (this.#proof !== null || this.isHealed || performance.now() >= endMs) return;
      await pause(PROOF_INTERVAL_MS, signal);
    }
  }

  /** Every call is the same healing. */
  async heal(): Promise<void> {
    this.#healing ??= this.#heal();
    await this.#healing;
  }

  async #heal(): Promise<void> {
    // Some faults count only while they are there.
    await this.confirm();
    const beginMs = Date.now();
    await this.#fault.heal();
    if (this.kind.lasting) this.#onHealed(this, beginMs);
  }
}
