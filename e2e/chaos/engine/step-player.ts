import { messageOf } from "#consumer/errors.ts";
import type { FaultEvent } from "#e2e/checkers/history-event.ts";
import { isRunning, podName } from "#e2e/targets/pods.ts";
import { seededRandom } from "#e2e/base/random.ts";
import { orAbort, pause } from "#e2e/base/waiting.ts";
import { FaultImpossibleError } from "#e2e/chaos/fault-kind.ts";
import type { InjectedFault } from "#e2e/chaos/fault-kind.ts";
import type { ArmedTrigger, ReachedTrigger } from "#e2e/chaos/trigger-kind.ts";
import { armStep, numberedSteps, reach } from "./armed-step.ts";
import type { ArmedStep } from "./armed-step.ts";
import { InjectedStep } from "./injected-step.ts";
import type { PlayOptions } from "./play-options.ts";
import { openStep } from "./played-step.ts";
import type { PlayedStep } from "./played-step.ts";
import { podOfRole } from "./pod-roles.ts";

type StepEvent = Pick<FaultEvent, "step" | "fault" | "pod" | "what" | "detail">;

/**
 * Plays the steps of a schedule in their order. The trigger of each is armed before the fault of
 * the step before it is injected, and a held pod stands still until the fault is injected.
 * Disposing disarms and heals whatever is left.
 */
export class StepPlayer implements AsyncDisposable {
  readonly #options: PlayOptions;
  readonly #steps: PlayedStep[];
  readonly #injected: InjectedStep[] = [];
  readonly #cleanup = new AsyncDisposableStack();

  constructor(options: PlayOptions) {
    this.#options = options;
    this.#steps = options.schedule.steps.map((step, index) => openStep(index + 1, step));
  }

  get steps(): readonly PlayedStep[] {
    return this.#steps;
  }

  /**
   * Plays every step. A trigger that does not come is reported and counted, and the next one is
   * awaited.
   */
  async play(): Promise<void> {
    const waiting = numberedSteps(this.#options.schedule);
    const armNext = async (): Promise<ArmedStep | undefined> => {
      const next = waiting.shift();
      return next && (await this.#arm(next.number));
    };
    let current = await armNext();
    while (current !== undefined) {
      const reached = current.trigger === null ? current.reason : await this.#reach(current);
      if (typeof reached === "string") this.#miss(current.number, reached);
      // The next trigger is armed while the pod is held, so that what the fault causes cannot be
      // missed.
      const next = await armNext();
      if (typeof reached !== "string" && current.trigger !== null) {
        await this.#inject(current, current.trigger, reached);
      }
      await current.trigger?.[Symbol.asyncDispose]();
      for (const injected of this.#injected) await injected.confirm();
      current = next;
    }
    // This happens while the load goes on, since faults meet nothing afterwards.
    const { fireMsMax, signal } = this.#options;
    await Promise.all(this.#injected.map((injected) => injected.awaitProof(fireMsMax, signal)));
    // Every fault stays for the time that its step gives, also the last ones.
    await Promise.all(this.#injected.map((injected) => injected.healedInTime()));
  }

  /** Heals every fault, the last one first. */
  async heal(): Promise<void> {
    for (const injected of this.#injected.toReversed()) await injected.heal();
  }

  /**
   * Asks every fault for its proof once more and reports those that never fired. A fault whose pod
   * has ended meanwhile is counted as missed. Call it when everything has converged.
   */
  async conclude(): Promise<void> {
    for (const injected of this.#injected) {
      await injected.confirm();
      if (injected.proof !== null) continue;
      const ended =
        injected.pod === "" ? undefined : this.#options.endOf(injected.pod, injected.injectedAtMs);
      if (ended === undefined) {
        this.#update(injected.number, {
          outcome: "never-fired",
          reason: "nothing shows that it had an effect",
        });
      } else {
        this.#miss(injected.number, `pod ${injected.pod} ended before it could fire: ${ended}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async #arm(number: number): Promise<ArmedStep> {
    const step = this.#options.schedule.steps[number - 1]!;
    const armed = await armStep({ number, step }, this.#options);
    if (armed.trigger !== null) {
      this.#cleanup.use(armed.trigger);
      this.#update(number, { held: armed.kind.holds });
      this.#recordEvent(number, "armed", armed.pod, step.when.trigger);
    }
    return armed;
  }

  async #reach(
    armed: Extract<ArmedStep, { trigger: ArmedTrigger }>,
  ): Promise<ReachedTrigger | string> {
    const reached = await reach(armed, this.#options);
    if (typeof reached === "string") return reached;
    this.#update(armed.number, { reached });
    this.#recordEvent(armed.number, "reached", reached.pod, reached.detail);
    return reached;
  }

  async #inject(armed: ArmedStep, trigger: ArmedTrigger, reached: ReachedTrigger): Promise<void> {
    const { number, step } = armed;
    const { faults, schedule, deployment, durations, recordEvent, signal, roles } = this.#options;
    const { fault: name, pod: chosen, ...parameters } = step.do;
    const kind = faults.get(name);
    if (kind === undefined) throw new Error(`step ${number}: there is no fault ${name}`);
    const selector =
      kind.scope === "deployment" ? null : (chosen ?? (reached.pod === null ? "owner" : "held"));
    const pod = selector === null ? "" : await podOfRole(selector, reached.pod, roles);
    if (pod === undefined) {
      this.#miss(number, `no pod is ${JSON.stringify(selector)}`);
      return;
    }
    const context = {
      deployment,
      pod,
      durations,
      random: seededRandom(schedule.seed, `step ${number}`),
      recordEvent,
      signal,
    };
    this.#update(number, { inForce: true });
    const injecting = kind.inject(context, kind.parameters.parse(parameters));
    // Whatever ends this early, a fault that is injected later must not stay.
    this.#cleanup.defer(async () => await (await injecting.catch(() => null))?.heal());
    let fault: InjectedFault;
    try {
      fault = await this.#whileHeld(injecting, trigger);
    } catch (error) {
      if (error instanceof FaultImpossibleError) {
        this.#miss(number, error.message);
        return;
      }
      if (signal.aborted || pod === "" || (await this.#isRunning(pod))) throw error;
      this.#miss(number, `pod ${pod} ended first: ${messageOf(error)}`);
      return;
    }
    this.#update(number, { pod: pod === "" ? null : pod, selector, inForce: kind.lasting });
    this.#recordEvent(number, "injected", pod === "" ? null : pod, JSON.stringify(step.do));
    const injected = new InjectedStep({
      number,
      kind,
      pod,
      fault,
      onFired: (one, proof) => this.#fired(one, proof),
      onHealed: (one, beginMs) => {
        this.#update(one.number, { inForce: false });
        const detail = `took ${Date.now() - beginMs} ms`;
        this.#recordEvent(one.number, "healed", one.pod === "" ? null : one.pod, detail, beginMs);
      },
    });
    this.#injected.push(injected);
    if (kind.lasting && step.until !== undefined) {
      injected.healAfter(step.until.elapsedMs, this.#options.fireMsMax, signal);
    }
  }

  /**
   * Waits for the injection while the pod is held, and releases the pod after `holdMsMax`: an
   * injection that needs the held pod would wait forever.
   */
  async #whileHeld(
    injecting: Promise<InjectedFault>,
    trigger: ArmedTrigger,
  ): Promise<InjectedFault> {
    const waiting = new AbortController();
    const { holdMsMax, signal } = this.#options;
    const letGo = async (): Promise<InjectedFault> => {
      await pause(holdMsMax, AbortSignal.any([signal, waiting.signal]));
      await trigger.release();
      return await injecting;
    };
    const lettingGo = letGo();
    try {
      return await orAbort(Promise.race([injecting, lettingGo]), signal);
    } finally {
      waiting.abort(new Error("it is injected"));
      lettingGo.catch(() => {});
    }
  }

  async #isRunning(pod: string): Promise<boolean> {
    const pods = await this.#options.roles.pods();
    const found = pods.find((present) => podName(present) === pod);
    return found !== undefined && isRunning(found);
  }

  #miss(number: number, reason: string): void {
    this.#update(number, { outcome: "missed", reason, inForce: false });
    this.#recordEvent(number, "missed", null, reason);
  }

  #fired(injected: InjectedStep, proof: string): void {
    this.#update(injected.number, { outcome: "fired", fired: proof });
    this.#recordEvent(injected.number, "fired", injected.pod === "" ? null : injected.pod, proof);
  }

  #recordEvent(
    number: number,
    what: StepEvent["what"],
    pod: string | null,
    detail: string,
    atMs = Date.now(),
  ): void {
    const { fault } = this.#steps[number - 1]!;
    const event: StepEvent = { step: number, fault, pod, what, detail };
    this.#options.record({ kind: "fault", atMs, ...event });
    this.#options.recordEvent("chaos", `step.${what}`, { ...event });
  }

  #update(number: number, change: Partial<PlayedStep>): void {
    this.#steps[number - 1] = { ...this.#steps[number - 1]!, ...change };
    this.#options.onChange(this.#steps);
  }
}
