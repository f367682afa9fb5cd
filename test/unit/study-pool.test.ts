/** The order in which a study does its tasks. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { SparringError } from '../../lib/errors.js';
import { runTasks, secondsOfTasks, type Task, type TimedTask } from '../../lib/study/pool.js';

test('tasks: so many at a time, each after what it needs, a failure keeps back only what needs it', async () => {
  const events: string[] = [];
  let running = 0;
  let most = 0;
  const task = (name: string, after: Task | null = null, error?: unknown): Task => ({
    name, after,
    run: async () => {
      most = Math.max(most, ++running);
      events.push(`+${name}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      events.push(`-${name}`);
      running--;
      if (error) throw error;
    },
  });
  const [good, bad] = [task('good'), task('bad', null, new SparringError('data', 'x'))];
  const tasks = [good, bad, task('after good', good), task('after bad', bad), task('free')];
  const failures = await runTasks(tasks, 2);
  assert.equal(failures.map(({ task: { name } }) => name), ['bad']);
  assert.is(most, 2);
  assert.ok(events.indexOf('+after good') > events.indexOf('-good'));
  assert.not(events.includes('+after bad'));
  assert.ok(events.includes('-free'));
  events.length = 0;
  const lacking = task('lacking', null, new SparringError('environment', 'no LibTorch'));
  await runTasks([lacking, task('next')], 1);
  assert.equal(events, ['+lacking', '-lacking'], 'what the machine lacks, it lacks for all');
  events.length = 0;
  assert.equal(await runTasks([task('none')], 1, AbortSignal.abort()), []);
  assert.equal(events, []);
});

test('how long tasks take: what they wait for, and how many are done at a time', () => {
  const task = (seconds: number, after: TimedTask | null = null): TimedTask => ({ seconds, after });
  const [birds, photos] = [task(10), task(20)];
  assert.is(secondsOfTasks([], 2), 0);
  assert.is(secondsOfTasks([task(5), task(5), task(5)], 2), 10, 'three by two at a time');
  assert.is(secondsOfTasks([birds, task(5, birds), task(5, birds), task(5, birds)], 8), 15);
  // From 0 to 10 birds, to 20 photos; a run of the birds from 10 to 17, two of the photos from 20 to 25.
  assert.is(secondsOfTasks([birds, photos, task(7, birds), task(5, photos), task(5, photos)], 2), 25);
  assert.is(secondsOfTasks([birds, photos, task(7, birds)], 1), 37);
});

test.run();
