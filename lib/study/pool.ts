/** Does the jobs of a study, several at a time, each after the one that it needs. */
import { SparringError } from '../errors.js';

export interface Task {
  name: string;
  /** Done before it begins; null where there is no such. */
  after: Task | null;
  run(): Promise<void>;
}

export interface Failure {
  task: Task;
  error: unknown;
}

/** What is known of a task before it is done. */
export interface TimedTask {
  after: TimedTask | null;
  seconds: number;
}

/** How long `runTasks` takes for them. */
export function secondsOfTasks(tasks: readonly TimedTask[], processes: number): number {
  const waiting = [...tasks];
  const done = new Set<TimedTask | null>([null]);
  const running = new Map<TimedTask, number>(); // when each ends
  let now = 0;
  while (waiting.length + running.size > 0) {
    const place = running.size >= processes ? -1 : waiting.findIndex(({ after }) => done.has(after));
    if (place >= 0) {
      const [task] = waiting.splice(place, 1);
      running.set(task, now + task.seconds);
      continue;
    }
    const [next, end] = [...running].reduce((first, other) => (other[1] < first[1] ? other : first));
    running.delete(next);
    done.add(next);
    now = end;
  }
  return now;
}

/**
 * Runs tasks in their order, at most `processes` at a time. One that fails does not keep the others from being done,
 * except those that need it; after an abort, or when the machine lacks something, none begins any more.
 * @returns the failures, first one first
 */
export async function runTasks(tasks: readonly Task[], processes: number, signal?: AbortSignal): Promise<Failure[]> {
  const waiting = [...tasks];
  const done = new Set<Task>();
  const failures: Failure[] = [];
  const stopped = (): boolean => Boolean(signal?.aborted) || failures.some(({ error }) => error instanceof SparringError && error.code === 'environment');
  const isOpen = (task: Task | null): task is Task => task !== null && tasks.includes(task) && !done.has(task);
  const running = new Set<Promise<void>>();

  for (;;) {
    const place = stopped() || running.size >= processes ? -1 : waiting.findIndex(({ after }) => !isOpen(after));
    if (place >= 0) {
      const [task] = waiting.splice(place, 1);
      const run = task.run().then(
        () => void done.add(task),
        (error) => void failures.push({ task, error }),
      );
      running.add(run);
      void run.then(() => running.delete(run));
      continue;
    }
    if (running.size === 0) return failures;
    await Promise.race(running);
  }
}
