// Packs the addon for npm: prebuilds/<platform>/{sparring.glibc.node, libsparring_core.so} in the given folder, or here.
// prebuildify moves and strips what it packs, so it works on a copy in a temporary folder and the build tree stays as it is.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = process.argv[2] ?? root;
const prebuilds = join(output, 'prebuilds', `${process.platform}-${process.arch}`);
const staging = mkdtempSync(join(tmpdir(), 'sparring-prebuild-'));
try {
  rmSync(prebuilds, { recursive: true, force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/prebuildify/bin.js'),
      ...['--napi', '--strip', '--tag-libc', '--name', 'sparring'],
      ...['--cwd', staging, '--out', output, '--node-gyp', join(root, 'scripts/cmake-js-shim.mjs')],
    ],
    { stdio: 'inherit' },
  );
  if (status !== 0) throw new Error(`prebuildify ended with code ${status}.`);

  // LibTorch is hundreds of megabytes and has its own way to the user; it must never travel in the package.
  const packed = readdirSync(prebuilds).sort();
  const expected = ['libsparring_core.so', 'sparring.glibc.node'];
  if (packed.join() !== expected.join())
    throw new Error(`Packed ${packed.join(', ')}; expected ${expected.join(' and ')} only.`);
  for (const name of packed)
    console.log(`${join(prebuilds, name)}  ${(statSync(join(prebuilds, name)).size / 1e3).toFixed(0)} kB`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(staging, { recursive: true, force: true });
}
