/** What the machine says of itself. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

/** Megabytes in use on the GPU; the allocator of PyTorch gives nothing back, so at the end of a process it is the peak. */
export function gpuMemory(device) {
  return device === 'cpu' ? 0 : Number(ask(device, 'memory.used'));
}

export function graphicsCard(device) {
  const [name, driver] = ask(device, 'name,driver_version').split(', ');
  return driver ? `${name}, driver ${driver}` : 'unknown: nvidia-smi does not answer';
}

function ask(device, what) {
  const { stdout } = spawnSync('nvidia-smi', ['-i', device.split(':')[1] ?? '0', `--query-gpu=${what}`, '--format=csv,noheader,nounits'], { encoding: 'utf8' });
  return (stdout ?? '').trim();
}

/** Milliseconds since the machine started: of all processors together, of all when busy, and of this process. */
export function processorTime() {
  let [total, idle] = [0, 0];
  for (const { times } of cpus()) {
    for (const time of Object.values(times)) total += time;
    idle += times.idle;
  }
  const { user, system } = process.cpuUsage(); // µs
  return { total, busy: total - idle, own: (user + system) / 1000 };
}
