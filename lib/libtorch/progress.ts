/** Shows the steps of an installation on stderr: a live byte count on a terminal, one plain line per step elsewhere. */
import type { InstallEvents } from './install.js';
import { formatBytes } from './manifest.js';

const REDRAW_MS = 100;

/** Events for installLibtorch, and `end` to leave the last bar on a line of its own. */
export function showSteps(stream: NodeJS.WriteStream = process.stderr): Required<InstallEvents> & { end: () => void } {
  let drawnAt = 0;
  let open = false;
  let startedAt = 0;
  const end = () => {
    if (open) stream.write('\n');
    open = false;
  };
  return {
    end,
    onStep: (text) => {
      end();
      startedAt = Date.now();
      stream.write(`${text}\n`);
    },
    onProgress: (done, total) => {
      const now = Date.now();
      if (!stream.isTTY || (now - drawnAt < REDRAW_MS && done !== total)) return;
      drawnAt = now;
      open = true;
      const rate = done / Math.max(1e-3, (now - startedAt) / 1000);
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const bar = '█'.repeat(Math.round(share * 24)).padEnd(24, '░');
      const remaining = total > 0 && rate > 0 ? `, ${Math.ceil((total - done) / rate)} s left` : '';
      stream.write(
        `\r  ${bar} ${formatBytes(done)} of ${total > 0 ? formatBytes(total) : '?'}, ${formatBytes(rate)}/s${remaining}\x1b[K`,
      );
    },
  };
}
