/**
 * Work queues, one per incident: tasks of one lane run one after another in the order they came, tasks of
 * different lanes side by side, at most `lanesMax` at a time in this process. A lane exists only while it
 * has tasks. What waits is bounded by the callers: each holds back its next batch until this one is done.
 */
export interface Lanes {
  /** Resolves or rejects as the task does; a task that rejects does not stop its lane. */
  run<Result>(lane: string, task: () => Promise<Result>): Promise<Result>;
  /** Tasks that run now. */
  readonly running: number;
  /** Tasks that wait, for their lane or for room. */
  readonly waiting: number;
}

/** `onChange` is called with the number of running tasks whenever it changes. */
export function createLanes(lanesMax: number, onChange?: (running: number) => void): Lanes {
  /** Tasks per lane; the first one of a lane that is not in `ready` runs. */
  const lanes = new Map<string, (() => Promise<void>)[]>();
  /** Lanes whose first task may start, oldest first: no lane starves another. */
  const ready = new Set<string>();
  let running = 0;
  let waiting = 0;

  function startNext(): void {
    for (const lane of ready) {
      if (running >= lanesMax) return;
      ready.delete(lane);
      const task = lanes.get(lane)?.[0];
      if (task !== undefined) void start(lane, task);
    }
  }

  async function start(lane: string, task: () => Promise<void>): Promise<void> {
    running += 1;
    waiting -= 1;
    onChange?.(running);
    await task();
    running -= 1;
    onChange?.(running);
    const tasks = lanes.get(lane);
    tasks?.shift();
    if (tasks === undefined || tasks.length === 0) lanes.delete(lane);
    else ready.add(lane);
    startNext();
  }

  return {
    run(lane, task) {
      const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof task>>>();
      const settle = async (): Promise<void> => {
        try {
          resolve(await task());
        } catch (error) {
          reject(error);
        }
      };
      waiting += 1;
      const tasks = lanes.get(lane);
      if (tasks === undefined) {
        lanes.set(lane, [settle]);
        ready.add(lane);
        startNext();
      } else {
        tasks.push(settle);
      }
      return promise;
    },
    get running() {
      return running;
    },
    get waiting() {
      return waiting;
    },
  };
}
