import { onAbort } from "#consumer/async/abort.ts";

/**
 * Work queues, one per incident: tasks of one lane run one after another in the order they came, tasks of different
 * lanes side by side, at most `lanesMax` at a time in this process. A lane exists only while it has tasks. The
 * callers bound how many tasks wait: each holds back its next batch until this one is done.
 */
export interface Lanes {
  /**
   * Resolves or rejects as the task does; a task that rejects does not stop its lane. Rejects with the reason of
   * `giveUp` when that aborts before the task has begun, and the task then never begins.
   */
  run<Result>(lane: string, task: () => Promise<Result>, giveUp: AbortSignal): Promise<Result>;
  /** The number of tasks that run now. */
  readonly running: number;
}

/**
 * Creates lanes that run at most `lanesMax` tasks at a time. `onChange` is called with the number of running tasks
 * whenever it changes.
 */
export function createLanes(lanesMax: number, onChange?: (running: number) => void): Lanes {
  /** The tasks of each lane; the first task of a lane that is not in `ready` is running. */
  const lanes = new Map<string, Task[]>();
  /** The lanes whose first task may start, the oldest first, so that no lane starves another. */
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

  /**
   * Begins the first task of a lane that was not given up, and drops those that were. It loops, because recursion
   * would need a stack as deep as the thousands of tasks that may be given up at once.
   */
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
  /** Returns false when the task was given up before. */
  begin(): boolean;
  /** Runs the task to its end; never rejects. */
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
