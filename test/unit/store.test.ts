import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { extract } from 'tar-stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stream } from '../../lib/data/random.js';
import { isCompared, type Sample } from '../../lib/store/record.js';
import { openStore } from '../../lib/store/store.js';

const base = mkdtempSync(join(tmpdir(), 'sparring-store-'));
test.after(() => rmSync(base, { recursive: true }));
let stores = 0;
const fresh = (): string => join(base, `store${stores++}`);
const shape = { imageSize: 4, classes: ['landbird', 'waterbird'] };

function sample(seed: number, more: Partial<Sample> = {}): Sample {
  const random = stream(seed, 'pixels');
  return {
    pixels: Uint8Array.from({ length: 48 }, () => random.integer(256)),
    label: seed % 2,
    seed,
    teacherProbabilities: [0.1 + 1 / 3, 1 - (0.1 + 1 / 3)],
    studentProbability: 0.25,
    studentWrong: true,
    disagreement: -0.125,
    kept: true,
    reason: 'teacher sure, student wrong',
    ...more,
  };
}

async function failure(promise: Promise<unknown>): Promise<any> {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error, 'expected a failure');
  return error;
}

test('what is stored comes back exactly, in another process too', async () => {
  const folder = fresh();
  const store = await openStore(folder, { writer: 'main', ...shape });
  const first = await store.append(0, [sample(1), sample(2, { kept: false, reason: 'teacher unsure' })], { steps: 20, guidance: { scale: 0.4, from: 1 } });
  await store.append(1, [sample(3)], { guidance: { from: 1, scale: 0.4 }, steps: 20 });
  assert.equal(first.map(({ key }) => key), ['main-000000/000000', 'main-000000/000001']);
  for (const opened of [store, await openStore(folder)]) {
    const samples = opened.samples();
    assert.equal(samples.map(({ seed, round, label, class: name, kept }) => [seed, round, label, name, kept]), [[1, 0, 1, 'waterbird', true], [2, 0, 0, 'landbird', false], [3, 1, 1, 'waterbird', true]]);
    assert.equal(samples[0]!.teacherProbabilities, sample(1).teacherProbabilities);
    assert.is(new Set(samples.map(({ settings }) => settings)).size, 1, 'equal settings share an id');
    assert.equal(await opened.generatorSettings(samples[0]!.settings), { guidance: { from: 1, scale: 0.4 }, steps: 20 });
    const pixels = await opened.readImages([samples[2]!.key, samples[0]!.key, samples[2]!.key]);
    assert.equal(pixels, Uint8Array.from([...sample(3).pixels, ...sample(1).pixels, ...sample(3).pixels]));
  }
});

test('a sample that no student has seen has none of its fields', async () => {
  const folder = fresh();
  const { studentProbability: _1, studentWrong: _2, disagreement: _3, ...unseen } = sample(1);
  await (await openStore(folder, { writer: 'main', ...shape })).append(0, [unseen, sample(2)]);
  for (const rebuilt of [false, true]) {
    if (rebuilt) unlinkSync(join(folder, 'index.jsonl'));
    const records = (await openStore(folder)).samples();
    assert.equal(records.map(isCompared), [false, true]);
    assert.not('studentWrong' in records[0]!);
  }
});

test('shards are WebDataset tars: png and json side by side', async () => {
  const folder = fresh();
  await (await openStore(folder, { writer: 'main', ...shape })).append(0, [sample(1), sample(2)]);
  const names: string[] = [];
  const archive = extract();
  archive.end(readFileSync(join(folder, 'shards/main-000000.tar')));
  for await (const entry of archive) {
    names.push(entry.header.name);
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.name === '000001.json') assert.is(JSON.parse(Buffer.concat(chunks).toString()).seed, 2);
    if (entry.header.name === '000001.png') assert.is(Buffer.concat(chunks).subarray(1, 4).toString(), 'PNG');
  }
  assert.equal(names, ['000000.png', '000000.json', '000001.png', '000001.json']);
});

test('several writers at once', async () => {
  const folder = fresh();
  const [a, b] = await Promise.all(['a', 'b'].map((writer) => openStore(folder, { writer, ...shape })));
  await Promise.all([0, 1, 2, 3].flatMap((round) => [a!.append(round, [sample(round)]), b!.append(round, [sample(100 + round)])]));
  await a!.refresh();
  assert.is(a!.samples().length, 8);
  assert.equal(a!.samples().map(({ seed }) => seed), [0, 100, 1, 101, 2, 102, 3, 103]);
  const twin = await openStore(folder, { writer: 'a' });
  await a!.append(4, [sample(4)]);
  assert.match((await failure(twin.append(4, [sample(5)]))).message, /another process writes under the name a/);
});

test('an interrupted write of the index or of a shard is put right', async () => {
  const folder = fresh();
  const store = await openStore(folder, { writer: 'main', ...shape });
  await store.append(0, [sample(1), sample(2)]);
  await store.append(1, [sample(3), sample(4)]);
  const index = join(folder, 'index.jsonl');
  const whole = readFileSync(index);
  const expected = store.samples();
  writeFileSync(join(folder, 'shards/.main-000002.tar.1-ab.tmp'), 'half');
  writeFileSync(join(folder, 'shards/.other-000000.tar.1-ab.tmp'), 'half, of a live writer');
  // Every way in which the last block may have been cut, and no index at all.
  const third = whole.indexOf('\n', whole.indexOf('\n', whole.indexOf('\n') + 1) + 1) + 1;
  for (const length of [whole.length - 5, third, third - 1, third + 1, 0]) {
    truncateSync(index, length);
    assert.equal((await openStore(folder)).samples(), expected, `reading, cut at ${length}`);
    assert.is(readFileSync(index).length, length, 'reading changes nothing');
    assert.equal((await openStore(folder, { writer: 'main' })).samples(), expected, `cut at ${length}`);
    assert.equal((await openStore(folder)).samples(), expected);
    assert.ok(readFileSync(index, 'utf8').endsWith('}\n'));
  }
  unlinkSync(index);
  const again = await openStore(folder, { writer: 'main' });
  assert.equal(again.samples(), expected);
  assert.is(readFileSync(index, 'utf8'), whole.toString(), 'rebuilt as it was');
  assert.equal(readdirSync(join(folder, 'shards')).sort(), ['.other-000000.tar.1-ab.tmp', 'main-000000.tar', 'main-000001.tar']);
  assert.is((await again.append(2, [sample(5)]))[0]!.shard, 'main-000002.tar');
});

test('rewinding to a round removes it and all later ones, and their names may be used again', async () => {
  const folder = fresh();
  const store = await openStore(folder, { writer: 'main', ...shape });
  for (const round of [0, 1, 2]) await store.append(round, [sample(round)]);
  await store.readImages(['main-000001/000000']);
  await store.rewind(1);
  assert.equal(store.samples().map(({ round }) => round), [0]);
  assert.equal(readdirSync(join(folder, 'shards')), ['main-000000.tar']);
  await store.append(1, [sample(9)]);
  assert.equal(await store.readImages(['main-000001/000000']), sample(9).pixels);
  assert.equal((await openStore(folder)).samples().map(({ seed }) => seed), [0, 9]);
});

test('a kill at any moment loses no finished batch and leaves no broken one', async () => {
  const folder = fresh();
  const script = `
    import { openStore } from '${join(import.meta.dirname, '../../lib/store/store.ts')}';
    const store = await openStore(process.argv[1], { writer: 'main', imageSize: 4, classes: ['landbird', 'waterbird'] });
    const start = store.samples().length / 8;
    for (let round = start; ; round++) {
      await store.append(round, Array.from({ length: 8 }, (_, i) => ({ pixels: new Uint8Array(48).fill(round % 256), label: i % 2, seed: i,
        teacherProbabilities: [0.5, 0.5], studentProbability: 0, studentWrong: true, disagreement: 0, kept: true, reason: '' })));
      console.log(round);
    }`;
  let done = 0;
  for (const delay of [30, 47, 61]) {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (output.split('\n').length < 4) await sleep(5);
    await sleep(delay);
    child.kill('SIGKILL');
    await ended;
    const finished = output.split('\n').slice(0, -1).length;
    const store = await openStore(folder, { writer: 'main' });
    const rounds = store.samples().length / 8;
    assert.ok(Number.isInteger(rounds) && rounds >= done + finished, `${rounds} rounds stored, ${done + finished} announced`);
    done = rounds;
    const pixels = await store.readImages(store.samples().map(({ key }) => key));
    store.samples().forEach(({ round }, i) => assert.is(pixels[i * 48], round % 256));
  }
});

test('damage is named: index line, missing shard, shard, settings', async () => {
  const folder = fresh();
  const store = await openStore(folder, { writer: 'main', ...shape });
  await store.append(0, [sample(1)]);
  const index = join(folder, 'index.jsonl');
  const line = readFileSync(index, 'utf8');
  appendFileSync(index, '{"key": \n');
  const error = await failure(openStore(folder));
  assert.is(error.code, 'data');
  assert.match(error.message, /index\.jsonl:2: expected JSON, found "\{\\"key\\": "/);
  assert.match(error.hint, /Delete index\.jsonl: it is rebuilt/);
  writeFileSync(index, line.replace('"seed":1', '"seed":"x"'));
  assert.match((await failure(openStore(folder))).message, /index\.jsonl:1: seed: .*expected/);
  writeFileSync(index, line + line.replaceAll('main-000000', 'main-000007'));
  assert.match((await failure(openStore(folder))).message, /expected the shard main-000007\.tar, which it lists, found none/);
  writeFileSync(index, line);

  const shard = join(folder, 'shards/main-000000.tar');
  const bytes = readFileSync(shard);
  writeFileSync(shard, Buffer.concat([bytes.subarray(0, 540), Buffer.alloc(20), bytes.subarray(560)]));
  assert.match((await failure((await openStore(folder)).readImages(['main-000000/000000']))).message, /main-000000\.tar: main-000000\/000000: expected a whole/);
  unlinkSync(index);
  for (const broken of [bytes.subarray(0, 700), Buffer.from('not a tar at all'.repeat(64)), Buffer.alloc(1024)]) {
    writeFileSync(shard, broken);
    const damage = await failure(openStore(folder));
    assert.is(damage.code, 'data');
    assert.match(damage.message, /main-000000\.tar: expected a shard/);
  }
  writeFileSync(join(folder, 'settings.json'), '{"format": 2}');
  assert.match((await failure(openStore(folder))).message, /settings\.json: format:/);
});

test('misuse is refused', async () => {
  const folder = fresh();
  assert.match((await failure(openStore(folder))).message, /expected a sample store, found no settings\.json/);
  assert.is((await failure(openStore(folder, { writer: '../x', ...shape }))).code, 'config');
  const store = await openStore(folder, { writer: 'main', ...shape });
  assert.match((await failure(openStore(folder, { imageSize: 8 }))).message, /imageSize: expected 8, found 4/);
  assert.match((await failure(openStore(folder, { classes: ['cat'] }))).message, /classes: expected \["cat"\], found/);
  assert.is((await failure((await openStore(folder)).append(0, [sample(1)]))).code, 'usage');
  for (const [wrong, message] of [
    [{ pixels: new Uint8Array(3) }, /sample 0: pixels: expected 48 bytes, found 3/],
    [{ label: 2 }, /label: expected 0\.\.1, found 2/],
    [{ teacherProbabilities: [1] }, /teacherProbabilities: expected 2 numbers/],
    [{ studentProbability: NaN }, /studentProbability: .* found NaN/],
    [{ disagreement: Infinity }, /disagreement: expected a finite number/],
    [{ seed: -1 }, /seed/],
  ] as const) {
    assert.match((await failure(store.append(0, [sample(1, wrong as Partial<Sample>)]))).message, message);
  }
  assert.equal(await store.append(0, []), []);
  assert.equal(store.samples(), []);
  assert.match((await failure(store.readImages(['main-000000/000009']))).message, /no sample main-000000\/000009/);
});

test.run();
