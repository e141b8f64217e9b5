import { pause } from "#e2e/base/waiting.ts";
import type { FaultKind, InjectedFault } from "#e2e/chaos/fault-kind.ts";

/** The interval at which a fault is asked whether it has fired. */
const PROOF_INTERVAL_MS = 50;

/** A fault that was injected, and is healed in time or at the end. */
export class InjectedStep {
  readonly number: number;
  readonly kind: FaultKind;
  /** The pod that it affects; "" for the whole deployment. */
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
    /**
     * `beginMs` is the time from which on the fault may have been gone, in milliseconds since the
     * epoch.
     */
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

  /** The proof that it fired; null as long as there is none. */
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
    // Two concurrent calls report it once.
    if (proof === undefined || this.#proof !== null) return;
    this.#proof = proof;
    this.#onFired(this, proof);
  }

  /**
   * Heals it after that time, unless it is healed before. A fault that has not fired by then,
   * because it has not met anything yet, stays for at most `fireMsMax` more. A failure is thrown by
   * `heal`, which ends every run.
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

  /**
   * Resolves when the fault was healed after its time, or at once when it has none. Throws the
   * error of the healing.
   */
  async healedInTime(): Promise<void> {
    await this.#timed;
  }

  /** Asks again and again until the fault has fired, is healed, or the time is over. */
  async awaitProof(waitMsMax: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + waitMsMax;
    for (;;) {
      await this.confirm();
      if (this.#proof !== null || this.isHealed || performance.now() >= endMs) return;
      await pause(PROOF_INTERVAL_MS, signal);
    }
  }

  /** Heals the fault. Every call shares the same healing. */
  async heal(): Promise<void> {
    this.#healing ??= this.#heal();
    await this.#healing;
  }

  async #heal(): Promise<void> {
    // Some faults can prove that they fired only while they are in force.
    await this.confirm();
    const beginMs = Date.now();
    await this.#fault.heal();
    if (this.kind.lasting) this.#onHealed(this, beginMs);
  }
}
