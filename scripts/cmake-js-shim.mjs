#!/usr/bin/env node
// Stands in for node-gyp when prebuildify calls it (`rebuild --target=… --arch=…`, in the folder to pack from):
// builds with cmake-js and lays exactly the two files of the addon where prebuildify looks for them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js');
const { status } = spawnSync(process.execPath, [cmakeJs, 'build', '--log-level', 'warn', '--parallel', '1'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const release = join(process.cwd(), 'build/Release');
mkdirSync(release, { recursive: true });
for (const name of ['sparring.node', 'libsparring_core.so'])
  copyFileSync(join(root, 'build/Release', name), join(release, name));
