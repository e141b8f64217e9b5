import { onAbort } from "#consumer/async/abort.ts";

/**
 * Work queues, one per incident: tasks of one lane run one after another in the order they came, tasks of
 * different lanes side by side, at most `lanesMax` at a time in this process. A lane exists only while it
 * has tasks. What waits is bounded by the callers: each holds back its next batch until this one is done.
 */
export interface Lanes {
  /**
   * Resolves or rejects as the task does; a task that rejects does not stop its lane. When `giveUp` aborts
   * before the task began: rejects at once with its reason, and the task never begins.
   */
  run<Result>(lane: string, task: () => Promise<Result>, giveUp: AbortSignal): Promise<Result>;
  /** Tasks that run now. */
  readonly running: number;
}

/** `onChange` is called with the number of running tasks whenever it changes. */
export function createLanes(lanesMax: number, onChange?: (running: number) => void): Lanes {
  /** Tasks per lane; the first one of a lane that is not in `ready` runs. */
  const lanes = new Map<string, Task[]>();
  /** Lanes whose first task may start, oldest first: no lane starves another. */
  const ready = new Set<string>();
  let running = 0;

  function startReady(): void {
    for (const lane of ready) {
      if (running >= lanesMax) return;
      ready.delete(lane);
      const task = firstOf(lane);
      if (task) void runFirst(task, lane);
    }
  }

  /** Begins it. Without those given up before: thousands of lanes may be at once, so no stack grows with them. */
  function firstOf(lane: string): Task | undefined {
    const tasks = lanes.get(lane) ?? [];
    while (tasks[0]?.begin() === false) tasks.shift();
    if (tasks.length === 0) lanes.delete(lane);
    return tasks[0];
  }

  async function runFirst(task: Task, lane: string): Promise<void> {
    running += 1;
    onChange?.(running);
    await task.end();
    running -= 1;
    onChange?.(running);
    const tasks = lanes.get(lane) ?? [];
    tasks.shift();
    if (tasks.length === 0) lanes.delete(lane);
    else ready.add(lane);
    startReady();
  }

  return {
    run(lane, work, giveUp) {
      const { task, result } = taskOf(work, giveUp);
      const tasks = lanes.get(lane);
      if (tasks === undefined) {
        lanes.set(lane, [task]);
        ready.add(lane);
        startReady();
      } else {
        tasks.push(task);
      }
      return result;
    },
    get running() {
      return running;
    },
  };
}

interface Task {
  /** False when it was given up before. */
  begin(): boolean;
  /** Runs it to its end; never rejects. */
  end(): Promise<void>;
}

function taskOf<Result>(
  work: () => Promise<Result>,
  giveUp: AbortSignal,
): { task: Task; result: Promise<Result> } {
  const { promise: result, resolve, reject } = Promise.withResolvers<Result>();
  let givenUp = false;
  const abandon = (): void => {
    givenUp = true;
    reject(giveUp.reason);
  };
  let stay: (() => void) | undefined;
  if (giveUp.aborted) abandon();
  else stay = onAbort(giveUp, abandon);
  const task: Task = {
    begin() {
      stay?.();
      return !givenUp;
    },
    async end() {
      try {
        resolve(await work());
      } catch (error) {
        reject(error);
      }
    },
  };
  return { task, result };
}
