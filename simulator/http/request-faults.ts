import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";

export type RequestFaultAction =
  /** The request waits, and then goes on. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** The request waits until the fault is disposed, and then goes on if its sender is still there. */
  | { readonly type: "hang" }
  /** The connection is closed without an answer. */
  | { readonly type: "reset" }
  | { readonly type: "status"; readonly status: number; readonly message: string };

export interface RequestFault<Facts> {
  readonly action: RequestFaultAction;
  /** Selects the requests that the fault applies to. Defaults to all. */
  readonly matches?: (facts: Facts) => boolean;
  /** The number of requests that the fault applies to. Defaults to all. */
  readonly times?: number;
}

/** A fault in force. Disposing ends it, and no other one. */
export interface InstalledFault extends AsyncDisposable {
  /** Returns the number of requests that the fault has applied to so far. */
  hits(): Promise<number>;
}

/**
 * The faults of one simulator that speaks HTTP. Every matching delay applies to a request. Of the
 * other matching faults, the one that has applied to the fewest requests is taken, so that no fault
 * keeps another one from ever being applied.
 */
export class RequestFaults<Facts> {
  readonly #installed = new Set<Installed<Facts>>();

  add(fault: RequestFault<Facts>): InstalledFault {
    const installed: Installed<Facts> = { fault, ended: new AbortController(), hits: 0 };
    this.#installed.add(installed);
    return {
      hits: async () => installed.hits,
      [Symbol.asyncDispose]: async () => {
        this.#installed.delete(installed);
        installed.ended.abort();
      },
    };
  }

  /**
   * Lets a request meet what concerns it. Gives the action that ends it, or null when it goes on.
   * @param gone aborts when its sender is gone
   * @param onMet called for each fault, before the wait that it brings
   */
  async meet(
    facts: Facts,
    gone: AbortSignal,
    onMet: (action: RequestFaultAction) => void,
  ): Promise<EndingAction | null> {
    const met = new Set<Installed<Facts>>();
    for (;;) {
      const next = this.#next(facts, met);
      if (next === undefined || gone.aborted) return null;
      met.add(next);
      next.hits += 1;
      const { action } = next.fault;
      onMet(action);
      if (action.type === "reset" || action.type === "status") return action;
      await waitFor(action, AbortSignal.any([gone, next.ended.signal]));
    }
  }

  #next(facts: Facts, met: ReadonlySet<Installed<Facts>>): Installed<Facts> | undefined {
    const [next] = [...this.#installed]
      .filter(
        (one) =>
          !met.has(one) &&
          one.hits < (one.fault.times ?? Number.POSITIVE_INFINITY) &&
          one.fault.matches?.(facts) !== false,
      )
      .toSorted((left, right) => rank(left) - rank(right) || left.hits - right.hits);
    return next;
  }
}

/** An action after which a request does not go on. */
type EndingAction = Extract<RequestFaultAction, { readonly type: "reset" | "status" }>;

interface Installed<Facts> {
  readonly fault: RequestFault<Facts>;
  readonly ended: AbortController;
  hits: number;
}

/** Delays come first, because they combine with any other fault. */
function rank<Facts>({ fault }: Installed<Facts>): number {
  return fault.action.type === "delay" ? 0 : 1;
}

async function waitFor(
  action: Extract<RequestFaultAction, { readonly type: "delay" | "hang" }>,
  ended: AbortSignal,
): Promise<void> {
  if (action.type === "delay") {
    await sleep(action.delayMs, undefined, { signal: ended }).catch(() => {});
    return;
  }
  if (ended.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  ended.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}

/**
 * Applies the faults to the requests of a server, after they are read and before they are handled.
 */
export function serveRequestFaults<Facts>(
  server: FastifyInstance,
  faults: RequestFaults<Facts>,
  options: {
    /** Returns undefined for a request that no fault can apply to. */
    readonly factsOf: (request: FastifyRequest) => Facts | undefined;
    readonly onMet?: (facts: Facts, action: RequestFaultAction) => void;
    /**
     * Called for a request that a fault has ended, with the status of its answer, or 0 when there
     * was none.
     */
    readonly onEnd?: (facts: Facts, status: number) => void;
  },
): void {
  server.addHook("preHandler", async (request, reply) => {
    const facts = options.factsOf(request);
    if (facts === undefined) return;
    const gone = new AbortController();
    const onClose = (): void => gone.abort();
    request.raw.socket.once("close", onClose);
    const action = await faults.meet(facts, gone.signal, (met) => options.onMet?.(facts, met));
    request.raw.socket.off("close", onClose);
    if (action?.type === "status") {
      const { status, message } = action;
      options.onEnd?.(facts, status);
      await reply.code(status).send({ code: status, message });
    } else if (action?.type === "reset" || gone.signal.aborted) {
      options.onEnd?.(facts, 0);
      reply.hijack();
      reply.raw.destroy();
    }
  });
}
