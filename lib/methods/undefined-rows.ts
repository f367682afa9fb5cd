/** Rows that some data leave undefined: those that need images of every group, where a group has none. */
import { groupCounts } from '../data/memory.js';
import { groupName, type Dataset, type Splits } from '../data/types.js';
import type { Method } from '../report/rows.js';
import { recipes, type ContinuedMethod } from './recipes.js';

/** Why a row cannot be measured on these data; undefined where it can. The groups that matter are those that are tested. */
export function undefinedReason(method: ContinuedMethod, { train, validation, test }: Splits): string | undefined {
  const { real } = recipes[method];
  if (real === 'groups-balanced') return missing(test, train, 'training');
  if (real !== 'validation-balanced') return undefined;
  return validation ? missing(test, validation, 'validation') : 'needs held-out images of every group, and the data have no validation split';
}

/** A sentence for each row of a config that is undefined. */
export function undefinedRows(methods: readonly Method[], data: Splits): string[] {
  return methods.flatMap((method) => {
    const reason = undefinedReason(method as ContinuedMethod, data);
    return reason ? [`'${method}' is undefined on these data: it ${reason}`] : [];
  });
}

function missing(test: Dataset, split: Dataset, name: string): string | undefined {
  const found = groupCounts(split);
  const absent = [...groupCounts(test)].flatMap((tested, group) => (tested > 0 && found[group] === 0 ? [groupName(test, group)] : []));
  return absent.length > 0 ? `needs ${name} images of every group, and there are none of ${absent.join(', ')}` : undefined;
}
