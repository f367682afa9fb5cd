import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Progress, type ProgressOptions } from '../../lib/cli/progress.js';

function harness(options: ProgressOptions & { isTTY?: boolean; columns?: number }) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const output = { isTTY: options.isTTY, columns: options.columns, write: (text: string) => written.push(text) };
  return { written, clock, progress: new Progress({ ...options, output, now: () => clock.ms }) };
}

test('plain lines every few seconds, and one at the end', () => {
  const { written, clock, progress } = harness({ colour: false });
  progress.start('student', 1000);
  for (let step = 1; step <= 1000; step++) {
    clock.ms += 12;
    progress.update(step, { loss: 1 / 3 });
  }
  progress.done();
  assert.equal(written, [
    'student 41%  417/1000  83.33/s  ETA 0:07  loss 0.3333\n',
    'student 83%  834/1000  83.33/s  ETA 0:02  loss 0.3333\n',
    'student 100%  1000/1000  83.33/s  in 0:12  loss 0.3333\n',
  ]);
});

test('a bar on a terminal, never wider than it', () => {
  for (const columns of [100, 60, 30, 8]) {
    const { written, clock, progress } = harness({ isTTY: true, columns, colour: true });
    progress.start('generate', 7200);
    clock.ms = 1000;
    progress.update(1, { kept: 'some' });
    progress.done();
    assert.is(written.at(-1), '\n');
    for (const text of written.slice(0, -1)) {
      assert.ok(text.startsWith('\r\u001b[K'));
      const visible = text.replaceAll(/\u001b\[[0-9;]*[mK]|\r/g, '');
      assert.ok(visible.length < columns, `${visible.length} characters in ${columns} columns: ${visible}`);
    }
    if (columns === 100) assert.match(written.at(-2)!, /█|░/), assert.match(written.at(-2)!, /ETA 1:59:59/);
  }
});

test('no colour when told so, nothing at all when quiet', () => {
  const plain = harness({ isTTY: true, columns: 100, colour: false });
  plain.progress.start('a', 4);
  plain.progress.done();
  assert.not.match(plain.written.join(''), /\u001b\[\d+m/);
  const before = process.env.NO_COLOR;
  process.env.NO_COLOR = '1';
  const environment = harness({ isTTY: true, columns: 100 });
  if (before === undefined) delete process.env.NO_COLOR;
  else process.env.NO_COLOR = before;
  environment.progress.start('a', 4);
  assert.not.match(environment.written.join(''), /\u001b\[\d+m/);
  const quiet = harness({ isTTY: true, quiet: true });
  quiet.progress.start('a', 4);
  quiet.clock.ms = 10_000;
  quiet.progress.update(4);
  quiet.progress.done();
  assert.equal(quiet.written, []);
});

test('a resumed task counts its rate from where it began; a new task ends the old one', () => {
  const { written, clock, progress } = harness({});
  progress.start('student', 100, 90);
  clock.ms = 6000;
  progress.update(96);
  progress.start('next', 0);
  progress.done();
  progress.update(3);
  assert.equal(written, ['student 96%  96/100  1/s  ETA 0:04\n', 'student 96%  96/100  1/s  ETA 0:04\n', 'next 100%  0/0  0/s  in 0:00\n']);
});

test.run();
