import { spucoMnistTotals } from './published.js';
import type { Finding, SplitName } from './records.js';
import type { Splits } from './types.js';

/** Where the splits of all ten digits are larger or smaller than published: other files, or a part of them. */
export function spuCoMnistFindings(splits: Pick<Splits, SplitName>): Finding[] {
  return Object.entries(spucoMnistTotals).flatMap(([split, published]): Finding[] => {
    const length = splits[split as SplitName]?.length ?? 0;
    return length === published ? [] : [{ severity: 'problem', text: `${split}: another number of images than published: ${length} instead of ${published}` }];
  });
}
