/** The command line that index.mjs and roofline.mjs share. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

import { installedTorch, pythonCommands } from '../dist/libtorch/python.js';
import { trials } from './trials.mjs';

const shared = {
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string', default: String(availableParallelism()) },
  rounds: { type: 'string' },
  seconds: { type: 'string', default: '3' },
  timeout: { type: 'string', default: '1800' },
  contenders: { type: 'string', default: '' },
  without: { type: 'string' },
};

/**
 * Ends the process with code 2 where they are wrong. usage: the line that says what there is; options: further ones of parseArgs.
 * Returns { values, settings: those of measureTrial without the cache, trials: those of the device, selected: those of them
 * whose name has every search term and not what --without says }.
 */
export function readArguments(usage, options, { isMeasured = () => true, rounds = () => 5 } = {}) {
  const fail = (message) => {
    console.error(`${message}\nUsage: ${usage}`);
    return process.exit(2);
  };
  const parse = () => {
    try {
      return parseArgs({ options: { ...shared, ...options }, allowPositionals: true });
    } catch (error) {
      return fail(error.message);
    }
  };
  const { values, positionals } = parse();
  const count = (name, text = values[name]) => {
    const number = Number(text);
    return Number.isInteger(number) && number > 0 ? number : fail(`--${name}: expected a whole number above 0, found '${text}'.`);
  };
  if (!/^(cpu|cuda(:\d+)?)$/.test(values.device)) fail(`--device: expected cpu, cuda or cuda:<n>, found '${values.device}'.`);
  const here = trials.filter((trial) => isMeasured(trial) && (trial.devices ?? ['cpu', 'cuda']).includes(values.device.split(':')[0]));
  const has = (name, term) => name.toLowerCase().includes(term.toLowerCase());
  const selected = here.filter(({ name }) => positionals.every((term) => has(name, term)) && !(values.without && has(name, values.without)));
  if (selected.length === 0) fail(`No trial has ${positionals.join(' and ')} in its name. There are:\n  ${here.map(({ name }) => name).join('\n  ')}`);
  const seconds = count('seconds');
  const settings = {
    python: pythonCommands().find((command) => 'root' in installedTorch(command)),
    device: values.device,
    threads: count('threads'),
    rounds: count('rounds', values.rounds ?? rounds(values)),
    terms: values.contenders.split(','),
    timeoutSeconds: count('timeout'),
    warmupMs: (seconds * 1000) / 3,
    measureMs: seconds * 1000,
  };
  return { values, settings, trials: here, selected };
}
