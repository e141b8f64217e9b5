import { setTimeout as sleep } from "node:timers/promises";
import type { RecordEvent } from "#e2e/base/events.ts";
import { startControlServer } from "./control-server.ts";
import type { ControlServer, PodProcess } from "./control-server.ts";
import { preloadOption } from "./preload-source.ts";
import type { ToServer } from "./protocol.ts";
import { RunningRule } from "./running-rule.ts";
import type { Hit, VolumeRuleRequest } from "./volume-rule.ts";

/** A rule that is armed. Disposing removes the rule and releases what it holds. */
export interface ArmedRule extends AsyncDisposable {
  /** The calls that it met, in order. For a rule that holds, all calls that asked, held or not. */
  readonly hits: readonly Hit[];
  /** Resolves with the call that is held, when the rule holds. It never rejects. */
  readonly reached: Promise<Hit>;
  /** Removes the rule and releases what it holds. Further calls do nothing. */
  disarm(): Promise<void>;
}

/** The longest time for a process to confirm a state; a frozen one never does. */
const TAKEN_MS_MAX = 5000;

/**
 * The faults that act inside the processes of the pods of one deployment: what the history volume
 * does to their calls, and their clock. What is armed is in force in every running process, and in
 * each one that starts later from its first operation.
 */
export class PodFaults implements AsyncDisposable {
  readonly #recordEvent: RecordEvent;
  readonly #takenMsMax: number;
  readonly #rules = new Map<number, RunningRule>();
  readonly #clockOffsetsMs = new Map<string, number>();
  readonly #processes = new Map<PodProcess, ProcessState>();
  readonly #errors: Error[] = [];
  #server: ControlServer | null = null;
  #ruleCount = 0;
  #version = 0;

  private constructor(recordEvent: RecordEvent, takenMsMax: number) {
    this.#recordEvent = recordEvent;
    this.#takenMsMax = takenMsMax;
  }

  static async start(recordEvent: RecordEvent, takenMsMax = TAKEN_MS_MAX): Promise<PodFaults> {
    const faults = new PodFaults(recordEvent, takenMsMax);
    faults.#server = await startControlServer({
      joined: (process) => faults.#join(process),
      received: (process, message) => faults.#receive(process, message),
      left: (process) => faults.#leave(process),
      failed: (error) => faults.#fail(error),
    });
    return faults;
  }

  /** The port on loopback on which it listens. */
  get port(): number {
    return this.#started.port;
  }

  /**
   * Returns the environment of the app container. `host` is the address at which pods reach this
   * process.
   */
  environment(host: string): { readonly NODE_OPTIONS: string; readonly POD_FAULT_CONTROL: string } {
    const { port, token } = this.#started;
    return { NODE_OPTIONS: preloadOption(), POD_FAULT_CONTROL: `${host}:${port} ${token}` };
  }

  /** The names of the pods that have a process with a connection. */
  get connected(): readonly string[] {
    return [...new Set([...this.#processes.keys()].map(({ pod }) => pod))];
  }

  /**
   * Resolves when every running process has taken the rule. A frozen process takes it before it
   * continues.
   */
  async arm(request: VolumeRuleRequest): Promise<ArmedRule> {
    this.#ruleCount += 1;
    const rule = new RunningRule(this.#ruleCount, request);
    this.#rules.set(rule.id, rule);
    await this.#distribute(request.pod);
    const disarm = async (): Promise<void> => {
      rule.release();
      if (this.#rules.delete(rule.id)) await this.#distribute(request.pod);
    };
    return {
      hits: rule.hits,
      reached: rule.reached,
      disarm,
      [Symbol.asyncDispose]: disarm,
    };
  }

  /** Moves the Date of the processes of a pod, and of those that it starts later; 0 corrects it. */
  async moveClock(pod: string, offsetMs: number): Promise<void> {
    if (offsetMs === 0) this.#clockOffsetsMs.delete(pod);
    else this.#clockOffsetsMs.set(pod, offsetMs);
    await this.#distribute(pod);
  }

  /**
   * Returns how far the Date of each of the pod's processes is ahead of the system's clock, as
   * measured by the process; empty when none is running.
   */
  clocksAheadMs(pod: string): readonly number[] {
    const ofPod = [...this.#processes].filter(([process]) => process.pod === pod);
    return ofPod.map(([, { clockAheadMs }]) => clockAheadMs);
  }

  /** Throws the first error of the kit: a connection that was lost while its process lived. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const rule of this.#rules.values()) rule.release();
    await this.#started[Symbol.asyncDispose]();
    const [error] = this.#errors;
    if (error !== undefined) throw error;
  }

  get #started(): ControlServer {
    if (this.#server === null) throw new Error("the control server is not started");
    return this.#server;
  }

  #join(process: PodProcess): void {
    const state = new ProcessState();
    this.#processes.set(process, state);
    this.#recordEvent("fault", "in-pod.joined", { pod: process.pod, pid: process.pid });
    void this.#send(process, state);
  }

  #leave(process: PodProcess): void {
    this.#processes.get(process)?.end();
    this.#processes.delete(process);
    for (const rule of this.#rules.values()) rule.forget(process);
    this.#recordEvent("fault", "in-pod.left", { pod: process.pod, pid: process.pid });
  }

  #fail(error: Error): void {
    this.#errors.push(error);
    this.#recordEvent("fault", "in-pod.failed", { message: error.message });
  }

  #receive(process: PodProcess, message: Exclude<ToServer, { readonly type: "hello" }>): void {
    if (message.type === "taken") {
      this.#processes.get(process)?.take(message.version, message.clockAheadMs);
      return;
    }
    const rule = this.#rules.get(message.rule);
    const { syscall, path } = message;
    const hit = { atMs: Date.now(), pod: process.pod, syscall, path };
    if (message.type === "met") rule?.meet(hit, process);
    else if (rule === undefined) process.send({ type: "go", asks: [message.ask] });
    else rule.ask(hit, process, message.ask);
  }

  async #distribute(pod: string | null): Promise<void> {
    const concerned = [...this.#processes].filter(([one]) => pod === null || one.pod === pod);
    await Promise.all(
      concerned.map(async ([process, state]) => {
        const taken = this.#send(process, state);
        if (await isInTime(taken, this.#takenMsMax)) return;
        this.#recordEvent("fault", "in-pod.unanswered", { pod: process.pod, pid: process.pid });
      }),
    );
  }

  /** Resolves when the state is taken, or the process is gone. */
  #send(process: PodProcess, state: ProcessState): Promise<void> {
    this.#version += 1;
    const version = this.#version;
    const taken = state.taken(version);
    process.send({
      type: "state",
      version,
      rules: [...this.#rules.values()].flatMap((rule) => rule.forProcess(process)),
      clockOffsetMs: this.#clockOffsetsMs.get(process.pod) ?? 0,
    });
    return taken;
  }
}

/** The states that a process was sent, and which of them it has confirmed. */
class ProcessState {
  clockAheadMs = 0;
  readonly #waiting = new Map<number, () => void>();

  taken(version: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(version, resolve);
    return promise;
  }

  take(version: number, clockAheadMs: number): void {
    this.clockAheadMs = clockAheadMs;
    this.#waiting.get(version)?.();
    this.#waiting.delete(version);
  }

  end(): void {
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}

async function isInTime(work: Promise<void>, limitMs: number): Promise<boolean> {
  const ended = new AbortController();
  const late = sleep(limitMs, false, { signal: ended.signal }).catch(() => false);
  const inTime = await Promise.race([work.then(() => true), late]);
  ended.abort();
  return inTime;
}
