/** The npm package as a user has it: what is packed and nothing else, in a folder without sources and without a build tree. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sparring-package-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const installed = join(folder, 'node_modules/sparring');

const inPackage = (...args: string[]) => spawnSync(process.execPath, [join(installed, 'bin/sparring.js'), ...args], { cwd: folder, encoding: 'utf8' });
const inProgram = (source: string) => spawnSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: folder, encoding: 'utf8' });

test.before(() => {
  execFileSync(process.execPath, [join(root, 'scripts/prebuild.mjs'), installed], { stdio: 'pipe' });
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' }));
  for (const { path } of files as { path: string }[]) {
    if (!path.startsWith('prebuilds/')) cpSync(join(root, path), join(installed, path));
  }
  const ofUsers = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: root, encoding: 'utf8' });
  for (const path of ofUsers.trim().split('\n').slice(1)) cpSync(path, join(folder, relative(root, path)), { recursive: true });
});

test('it has no sources, no tests and no LibTorch, and needs no install script', () => {
  for (const name of ['native', 'lib', 'test', 'scripts', 'CMakeLists.txt', 'binding.gyp', 'build']) assert.not.ok(existsSync(join(installed, name)), name);
  const files = readdirSync(installed, { recursive: true }).map(String);
  assert.equal(files.filter((name) => /\.(so|node)$/.test(name)).map((name) => basename(name)).sort(), ['libsparring_core.so', 'sparring.glibc.node']);
  const { scripts } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of ['install', 'preinstall', 'postinstall', 'prepare']) assert.not.ok(name in scripts, name);
});

test('the packed addon is found and computes', () => {
  const doctor = inPackage('doctor');
  assert.is(doctor.status, 0, doctor.stderr);
  assert.match(doctor.stdout, join(installed, 'prebuilds'));
  const profile = inPackage('models', 'inspect', 'resnet18', '--json');
  assert.is(profile.status, 0, profile.stderr);
  const program = inProgram("import { resolveConfig } from 'sparring'; console.log(resolveConfig({ data: { kind: 'birds' } }).data.kind);");
  assert.is(program.stdout, 'birds\n', program.stderr);
});

test('the embedded birds travel with it: the plan of the quickstart reads their weights', () => {
  const plan = inPackage('quickstart', '--dry-run');
  assert.is(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, join(installed, 'assets'));
});

test.run();
