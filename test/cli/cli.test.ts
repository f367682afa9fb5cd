import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { findLibtorch } from '../../lib/libtorch/index.js';
import { readVersion } from '../../lib/libtorch/version.js';
import { cli } from '../support/cli.js';

const assets = fileURLToPath(new URL('../../assets/birds', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sparring-cli-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const packageVersion = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
const commands = ['quickstart', 'distill', 'foundation', 'generate', 'evaluate', 'data', 'models', 'doctor', 'libtorch'];

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** One error, without a stack, and the exit code. */
function expectFailure({ status, stdout, stderr }: ReturnType<typeof cli>, exitCode: number, code: string): void {
  assert.is(status, exitCode, stderr);
  assert.is(stdout, '');
  assert.match(stderr, new RegExp(`^error \\(${code}\\): `, 'm'));
  assert.not.match(stderr, /\n\s+at /);
}

/** Two classes on two grounds, with the attribute folders that are given; images of 16 px. */
async function photographs(name: string, groups: { train: string[]; test: string[] }): Promise<string> {
  const root = join(folder, name);
  for (const split of ['train', 'test'] as const) {
    for (const group of groups[split]) {
      mkdirSync(join(root, split, group), { recursive: true });
      for (let i = 0; i < 3; i++) {
        const background = { r: group.startsWith('cat') ? 200 : 40, g: group.endsWith('grass') ? 180 : 60, b: 20 * i };
        await sharp({ create: { width: 16, height: 16, channels: 3, background } }).png().toFile(join(root, split, group, `${i}.png`));
      }
    }
  }
  return root;
}

const everyGroup = ['cat/grass', 'cat/snow', 'dog/grass', 'dog/snow'];
const smallNetworks = ['--set', 'data.imageSize=16', '--set', 'teacher.trainOn=train', '--set', 'generator.trainOn=train', '--set', 'generator.blockChannels=[16, 32]', '--set', 'generator.attention=[0, 1]'];

test('--help lists every command, and each command has its own', () => {
  const { status, stdout } = cli(['--help']);
  assert.is(status, 0);
  for (const name of commands) assert.match(stdout, `sparring ${name}`);
  for (const name of commands) {
    const help = cli([name, '--help']);
    assert.is(help.status, 0, name);
    assert.match(help.stdout, `sparring ${name}`);
  }
});

test('--version prints the version of the package', () => {
  const { status, stdout } = cli(['--version']);
  assert.is(status, 0);
  assert.is(stdout.trim(), packageVersion);
});

test('no command, or one that does not exist', () => {
  expectFailure(cli([]), 2, 'usage');
  const misspelt = cli(['distil']);
  expectFailure(misspelt, 2, 'usage');
  assert.match(misspelt.stderr, 'Unknown command: distil\nDid you mean distill?');
  expectFailure(cli(['frobnicate']), 2, 'usage');
  for (const [command, expected] of [['libtorch', 'install, list'], ['data', 'check or corrupt'], ['models', 'list, inspect']]) {
    const stranger = cli([command!, 'frobnicate']);
    expectFailure(stranger, 2, 'usage');
    assert.match(stranger.stderr, `sparring ${command}: expected ${expected}`);
  }
});

test('flags that do not exist, lack their value or come twice', () => {
  const cases: [string[], string][] = [
    [['doctor', '--frobnicate'], 'Unknown argument: frobnicate'],
    [['quickstart', '--seed'], 'Not enough arguments following: seed'],
    [['quickstart', '--seed', 'seven'], '--seed: expected a number'],
    [['quickstart', '--output', 'a', '--output', 'b'], '--output: expected one value, found a and b'],
    [['distill'], 'Missing required argument: config'],
    [['distill', '--config', 'a.yaml', 'b.yaml'], 'Unknown argument: b.yaml'],
    [['quickstart', '--set', 'seed'], '--set seed: expected path.to.key=value'],
    [['evaluate'], 'Missing required argument: weights'],
    [['foundation', 'cats'], 'Choices: "birds"'],
  ];
  for (const [args, expected] of cases) {
    const ended = cli(args);
    expectFailure(ended, 2, 'usage');
    assert.match(ended.stderr, expected);
  }
});

test('a config that is wrong, broken or missing', () => {
  const cases: [string, string][] = [
    [file('typo.yaml', 'rounds: { cuont: 3 }'), "typo.yaml: unknown key 'rounds.cuont'.\nDid you mean 'count'?"],
    [file('type.yaml', 'seeds: many'), 'type.yaml: seeds: expected number, found "many".'],
    [file('broken.yaml', 'seeds: [1'), 'broken.yaml: not valid YAML or JSON'],
    [join(folder, 'none.yaml'), 'none.yaml: cannot be read (ENOENT)'],
  ];
  for (const [path, expected] of cases) {
    const ended = cli(['distill', '--config', path, '--dry-run']);
    expectFailure(ended, 2, 'config');
    assert.ok(ended.stderr.includes(expected), ended.stderr);
  }
});

test('flags win over --set, --set over the file', () => {
  const path = file('order.yaml', 'seed: 1\nseeds: 1\n');
  const plan = cli(['distill', '--config', path, '--set', 'seed=2', '--set', 'seeds=3', '--seed', '4', '--set', 'teacher.trainOn=broad', '--dry-run']);
  assert.is(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, 'seeds 4 to 6');
});

test('--dry-run speaks of images only where a row generates some', () => {
  const path = file('rows.yaml', 'data: { kind: birds, train: 8, test: 8, broad: 8 }\nrounds: { count: 2, imagesPerRound: 5, training: { steps: 7 } }\nsampling: { steps: 9 }\n');
  const then = (methods: string, ...more: string[]): string[] => {
    const plan = cli(['distill', '--config', path, '--set', `methods=[${methods}]`, ...more, '--dry-run']);
    assert.is(plan.status, 0, plan.stderr);
    return plan.stdout.split('\n').filter((line) => line.startsWith('then'));
  };
  assert.equal(then('kd, erm'), ['then kd, erm: 2 rounds of 7 steps']);
  assert.equal(then('kd, unguided'), ['then kd, unguided: 2 rounds of 7 steps, with 5 images each in unguided (9 ddim steps, step guidance)']);
  assert.equal(then('unguided, config'), ['then unguided, config: 2 rounds of 7 steps and 5 images (9 ddim steps, step guidance)']);
  assert.match(then('config', '--set', 'rounds.imagesFor=class')[0]!, /and 10 images/); // two classes
  assert.match(then('config', '--set', 'rounds.imagesFor=image')[0]!, /and 40 images/); // eight training images
  assert.equal(then(''), []);
});

test('--dry-run on a folder of images prints the plan and writes nothing', async () => {
  const root = await photographs('pets', { train: ['cat/snow', 'dog/grass'], test: everyGroup });
  const path = file('pets.yaml', 'data: { kind: folder, root: pets }');
  const output = join(folder, 'dry');
  const args = ['distill', '--config', path, ...smallNetworks, '--output', output, '--dry-run'];
  const { status, stdout, stderr } = cli(args);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^train +6 images of 16 px: cat\/grass 0, cat\/snow 3, dog\/grass 3, dog\/snow 0$/m);
  assert.match(stdout, /^test +12 images of 16 px: cat\/grass 3/m);
  assert.match(stdout, /^student .* parameters, 300 steps of 64$/m);
  assert.not(existsSync(output));
  const json = JSON.parse(cli([...args, '--json']).stdout);
  assert.is(json.command, 'distill');
  assert.equal(json.plan, stdout.trimEnd().split('\n'));
  assert.equal(readdirSync(root).sort(), ['test', 'train']);
});

test('--dry-run finds what the run would stumble over', async () => {
  await photographs('one-class', { train: ['cat/snow'], test: everyGroup });
  const lacking = cli(['distill', '--config', file('one.yaml', 'data: { kind: folder, root: one-class }'), ...smallNetworks, '--dry-run']);
  expectFailure(lacking, 1, 'data');
  assert.match(lacking.stderr, 'expected images of class dog');

  const absent = cli(['distill', '--config', file('absent.yaml', 'data: { kind: folder, root: nowhere }'), ...smallNetworks, '--dry-run']);
  expectFailure(absent, 1, 'data');
  assert.match(absent.stderr, join(folder, 'nowhere'));

  const split = cli(['distill', '--config', file('split.yaml', 'data: { kind: birds, train: 4, test: 4, broad: 4 }\nteacher: { trainOn: balanced }'), '--dry-run']);
  expectFailure(split, 2, 'config');
  assert.match(split.stderr, "teacher.trainOn: 'birds train' has no split 'balanced'");
});

test('--dry-run opens the weights that a training starts from', () => {
  const start = join(folder, 'generator.safetensors');
  const birds = 'data: { kind: birds, train: 4, test: 4, broad: 4 }\n';
  const plan = cli(['distill', '--config', file('start.yaml', `${birds}generator: { start: ${assets}/generator.safetensors, training: { steps: 7 } }`), '--dry-run']);
  assert.is(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, /^generator +[\d,]+ parameters, to be trained, 7 steps from .*generator\.safetensors on$/m);
  writeFileSync(start, 'not weights');
  for (const role of ['teacher', 'generator']) {
    const damaged = cli(['distill', '--config', file(`damaged-${role}.yaml`, `${birds}${role}: { start: ${start} }`), '--dry-run']);
    expectFailure(damaged, 1, 'weights');
    assert.match(damaged.stderr, start);
  }
});

test('a run that cannot open its data leaves an empty folder, so that it can be started again', () => {
  const output = join(folder, 'retry');
  expectFailure(cli(['distill', '--config', file('retry.yaml', 'data: { kind: folder, root: nowhere }'), ...smallNetworks, '--output', output]), 1, 'data');
  assert.equal(readdirSync(output), []);
});

test('weights that are missing, damaged or for other data', () => {
  const missing = cli(['evaluate', '--weights', join(folder, 'none.safetensors')]);
  expectFailure(missing, 1, 'io');
  assert.match(missing.stderr, 'none.safetensors');
  expectFailure(cli(['evaluate', '--weights', file('damaged.safetensors', 'this is no safetensors file')]), 1, 'weights');
  const generate = cli(['generate', '--config', file('no-weights.yaml', 'seed: 1'), '--student', 'x']);
  expectFailure(generate, 2, 'config');
  assert.match(generate.stderr, 'generate: expected teacher.weights or teacher.zeroShot, found neither');
});

test('a folder that holds other files is not written to', () => {
  const output = join(folder, 'taken');
  mkdirSync(output);
  writeFileSync(join(output, 'thesis.txt'), 'precious');
  const ended = cli(['distill', '--config', file('taken.yaml', 'data: { kind: birds, train: 4, test: 4, broad: 4 }\nteacher: { trainOn: broad }'), '--output', output]);
  expectFailure(ended, 2, 'usage');
  assert.match(ended.stderr, 'expected an empty folder or a run, found other files');
  assert.equal(readdirSync(output), ['thesis.txt']);
});

test('quickstart --dry-run opens the shipped teacher and generator', () => {
  const { status, stdout, stderr } = cli(['quickstart', '--dry-run', '--output', join(folder, 'quickstart')]);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^teacher +[\d,]+ parameters, from .*assets\/birds\/teacher\.safetensors$/m);
  assert.match(stdout, /^generator +[\d,]+ parameters, from .*assets\/birds\/generator\.safetensors$/m);
  assert.not(existsSync(join(folder, 'quickstart')));
});

test('doctor --json is one JSON object', () => {
  const { status, stdout, stderr } = cli(['doctor', '--json']);
  assert.is(status, 0, stderr);
  const report = JSON.parse(stdout);
  assert.is(report.package, packageVersion);
  assert.is(report.node, process.versions.node);
  assert.is(report.core.loaded, true);
  assert.ok(report.trace.some(({ verdict }: { verdict: string }) => verdict === 'accepted'));
  const { kernels } = report.cuda;
  assert.ok(kernels.loaded || kernels.problem.length > 0, 'why the kernels for GPUs were not loaded');
});

test('without a LibTorch of the right version: exit code 3, every place that was looked at, and what to do', () => {
  const fake = join(folder, 'old-libtorch');
  mkdirSync(join(fake, 'lib'), { recursive: true });
  for (const name of ['libtorch_cpu.so', 'libc10.so']) writeFileSync(join(fake, 'lib', name), '');
  writeFileSync(join(fake, 'version.py'), "__version__ = '1.13.1'\n");
  const empty = join(folder, 'empty-home');
  mkdirSync(empty);
  const env = { SPARRING_LIBTORCH: undefined, SPARRING_SKIP_VERSION_CHECK: undefined, LIBTORCH: fake, SPARRING_PYTHON: join(empty, 'no-python'), XDG_CACHE_HOME: empty, HOME: empty };

  const ended = cli(['quickstart', '--output', join(folder, 'never'), '--device', 'cpu'], { env });
  expectFailure(ended, 3, 'environment');
  assert.match(ended.stderr, /SPARRING_LIBTORCH +not set/);
  assert.match(ended.stderr, /LIBTORCH +\S*old-libtorch: version 1\.13\.1, but the addon was built for 2\.\d+/);
  assert.match(ended.stderr, /PyTorch of \S*no-python +no such command/);
  assert.match(ended.stderr, /user cache +nothing installed in/);
  assert.match(ended.stderr, 'npx sparring libtorch install');

  const none = cli(['libtorch', 'path'], { env: { ...env, LIBTORCH: join(folder, 'nowhere') } });
  expectFailure(none, 3, 'environment');
  assert.match(none.stderr, 'nowhere: no such folder');

  const doctor = cli(['doctor', '--json'], { env });
  assert.is(doctor.status, 3);
  const report = JSON.parse(doctor.stdout);
  assert.is(report.core.loaded, false);
  assert.is(report.trace.length, 4);
});

test('a LibTorch whose CUDA does not open serves the CPU where the device is left open', () => {
  const { root } = findLibtorch().found!;
  const other = join(folder, 'with-broken-cuda');
  mkdirSync(join(other, 'lib'), { recursive: true });
  for (const name of readdirSync(join(root, 'lib'))) symlinkSync(join(root, 'lib', name), join(other, 'lib', name));
  for (const name of ['libc10_cuda.so', 'libtorch_cuda.so']) {
    rmSync(join(other, 'lib', name), { force: true });
    writeFileSync(join(other, 'lib', name), 'no library');
  }
  writeFileSync(join(other, 'version.py'), `__version__ = '${readVersion(root)}'\n`);
  const env = { SPARRING_LIBTORCH: root, LIBTORCH: other };
  const ended = cli(['quickstart', '--dry-run', '--device', 'auto', '--output', join(folder, 'never')], { env });
  assert.is(ended.status, 0, ended.stderr);
});

test('examples/embed.mjs: the teacher is good on every group, the student fails on those it never saw', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('../../examples/embed.mjs', import.meta.url))], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const worst = (name: string): number => Number(new RegExp(`^${name}: worst group \\S+ (\\S+)$`, 'm').exec(stdout)?.[1]);
  assert.ok(worst('teacher') > 0.9, stdout);
  assert.ok(worst('student') < 0.2, stdout);
});

test.run();
