/** From the outcomes of a run to its report.html. */
import { join } from 'node:path';

import { metricsCharts } from '../report/chart.js';
import { writeReport } from '../report/html.js';
import type { MetricsRow } from '../report/metrics-log.js';
import type { Row } from '../report/rows.js';
import type { RunContext } from './context.js';
import { isMeasured, type Outcome } from './outcome.js';
import { runEnvironment } from './run-environment.js';
import { runGrids } from './run-grids.js';

export async function writeRunReport(context: RunContext, run: { outcomes: readonly Outcome[]; rows: readonly Row[]; log: readonly MetricsRow[]; command?: string }): Promise<void> {
  const { config, engine, folder } = context;
  await writeReport(join(folder, 'report.html'), {
    title: `sparring: ${config.name}`,
    ...(run.command && { command: run.command }),
    rows: run.rows,
    evaluations: run.outcomes.filter(isMeasured),
    charts: metricsCharts(run.log),
    log: run.log,
    grids: await runGrids(context),
    config,
    environment: { ...runEnvironment(engine) },
  });
}
