// Brings a checkout to the point where it runs: dependencies, TypeScript, LibTorch, native addon. Does only what is
// missing or out of date, so the second time it takes about a second. Plain Node: it runs before `npm ci`.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

// A translation unit that includes LibTorch's headers takes about this much memory to compile.
const COMPILE_MEMORY_BYTES = 1.5e9;
const ADDON = [at('build/Release/sparring.node'), at('build/Release/libsparring_core.so')];
const BUILD_STAMP = at('build/sparring-build.json');

try {
  checkNode();
  installDependencies();
  compileTypeScript();
  if (!ADDON.every(existsSync)) findToolchain(); // before anything large is downloaded
  const libtorch = await provideLibtorch();
  buildAddon(libtorch);
} catch (error) {
  // SparringError comes from dist/ and cannot be imported before it is built; its shape is all that is needed.
  const { code, message, hint, stack } = error;
  console.error(code === undefined ? stack : `\nSet-up stopped: ${message}${hint ? `\n${hint}` : ''}`);
  process.exit(code === 'environment' ? 3 : 1);
}

function checkNode() {
  const [major, minor] = readJson(at('package.json')).engines.node.match(/\d+/g).map(Number);
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);
  if (haveMajor < major || (haveMajor === major && haveMinor < minor))
    fail(
      'environment',
      `Node.js ${process.versions.node} is too old; ${major}.${minor} or newer is needed.`,
      'Install a current Node.js, e.g. from https://nodejs.org.',
    );
}

function installDependencies() {
  if (dependenciesFit()) return;
  step('Installing npm dependencies');
  run('npm', ['ci', '--no-fund', '--no-audit'], 'io', 'npm could not install the dependencies.');
}

/** Whether node_modules holds what package-lock.json asks for; file times would not survive a checkout. */
function dependenciesFit() {
  if (!existsSync(at('node_modules/.package-lock.json'))) return false;
  const installed = readJson(at('node_modules/.package-lock.json')).packages;
  return Object.entries(readJson(at('package-lock.json')).packages).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

function compileTypeScript() {
  const stamp = at('dist/.compiled');
  if (isNewer(stamp, [at('lib'), at('tsconfig.json'), at('node_modules/.package-lock.json')])) return;
  step('Compiling TypeScript');
  const startedAt = new Date();
  run(
    process.execPath,
    [at('node_modules/typescript/bin/tsc'), '-p', root],
    'internal',
    'The TypeScript sources do not compile.',
  );
  writeStamp(stamp, '', startedAt);
}

/** The LibTorch to build against and run with; installed when there is none. */
async function provideLibtorch() {
  const { findLibtorch, formatTrace, installLibtorch, showSteps } = await import(
    pathToFileURL(at('dist/libtorch/index.js')).href
  );
  let discovery = findLibtorch({ forBuild: true });
  if (!discovery.found) {
    step(`Installing LibTorch, as none was found:\n${formatTrace(discovery.trace)}`);
    const { end, ...events } = showSteps();
    await installLibtorch(events).finally(end);
    discovery = findLibtorch({ forBuild: true });
  }
  const { found, trace } = discovery;
  if (!found)
    fail(
      'environment',
      `LibTorch was installed but cannot be used:\n${formatTrace(trace)}`,
      'Set SPARRING_LIBTORCH to a LibTorch folder.',
    );
  // Somebody who sets a variable wants to know when it is not heeded.
  const ignored = trace.find(
    ({ source, path, verdict }) => path && verdict !== 'accepted' && source.endsWith('LIBTORCH'),
  );
  if (ignored) console.error(`${ignored.source}=${ignored.path} is not used: ${ignored.verdict}.`);
  return found;
}

function buildAddon(libtorch) {
  // Any distribution of the same version will do: one core serves the CPU and the CUDA one.
  const version = libtorch.version.split('+')[0];
  const before = existsSync(BUILD_STAMP) ? readJson(BUILD_STAMP) : {};
  // The kernels for CUDA need both; once they are there, CMake looks for them again.
  const cuda = existsSync(join(libtorch.libDir, 'libtorch_cuda.so')) && isCommand(process.env.CUDACXX?.trim() || 'nvcc');
  const upToDate =
    before.version === version &&
    (!cuda || (before.cuda && before.root === libtorch.root)) &&
    isNewer(BUILD_STAMP, [at('native'), at('CMakeLists.txt')]);
  if (upToDate && ADDON.every(existsSync)) return;

  const { cxx, cc } = findToolchain();
  step(`Building the native addon against LibTorch ${version} in ${libtorch.root} (some minutes the first time)`);
  // cmake-js insists on a g++ or clang++ on the PATH unless it is told both compilers.
  const compilers = process.env.CXX ? ['--cxx', cxx, '--cc', cc] : [];
  const options = [`--CDLIBTORCH_ROOT=${libtorch.root}`, '--log-level', 'warn', ...compilers];
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / COMPILE_MEMORY_BYTES)));
  const startedAt = new Date();
  if (before.root !== libtorch.root || Boolean(before.cuda) !== cuda || !existsSync(at('build/CMakeCache.txt'))) cmakeJs('configure', options);
  cmakeJs('build', [...options, '--parallel', String(jobs)]);
  writeStamp(BUILD_STAMP, JSON.stringify({ root: libtorch.root, version, cuda }), startedAt);
}

function cmakeJs(verb, options) {
  run(
    process.execPath,
    [at('node_modules/cmake-js/bin/cmake-js'), verb, ...options],
    'environment',
    'The native addon could not be built; the compiler says why above.',
  );
}

/** The compilers to use. CXX and CC are honoured; without them CMake picks. */
function findToolchain() {
  const cxx = process.env.CXX ? process.env.CXX.trim() : ['c++', 'g++', 'clang++'].find(isCommand);
  const missing = [];
  if (!cxx || !isCommand(cxx))
    missing.push(process.env.CXX ? `the compiler that CXX names (${cxx})` : 'a C++20 compiler');
  if (!isCommand('cmake')) missing.push('CMake 3.21 or newer');
  if (missing.length > 0)
    fail(
      'environment',
      `The native addon cannot be built: ${missing.join(' and ')} not found.`,
      'Install them, e.g. `sudo apt install g++ cmake ninja-build`, and run the same command again.',
    );
  return { cxx, cc: process.env.CC || cxx };
}

function isCommand(name) {
  const folders = isAbsolute(name) ? [''] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(folder === '' ? name : join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Records a finished step, dated at its beginning: a source edited meanwhile is newer. */
function writeStamp(path, text, startedAt) {
  writeFileSync(path, text);
  utimesSync(path, startedAt, startedAt);
}

/** Whether `stamp` is newer than everything in `paths`. */
function isNewer(stamp, paths) {
  if (!existsSync(stamp)) return false;
  const time = statSync(stamp).mtimeMs;
  return paths.every((path) => newest(path) <= time);
}

function newest(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function run(command, args, code, message) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) fail(code, message, error?.message);
}

function step(text) {
  console.error(`• ${text}`);
}

function fail(code, message, hint) {
  throw Object.assign(new Error(message), { code, hint });
}
