/** Training images above their discrete adversaries, to be looked at. */
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import type { GridOptions } from '../report/grid.js';
import type { SampleStore } from '../store/store.js';

/** Some pairs at random, at most `count`: the class above, below what the teacher gives it. Without images for an empty store. */
export async function adversaryPairs(store: SampleStore, train: Dataset, count: number): Promise<Required<Pick<GridOptions, 'pixels' | 'columns' | 'captions'>>> {
  const records = store.samples();
  const columns = Math.min(count, records.length);
  const shown = Array.from(batchIndices(records.length, columns, 0, 0), (place) => records[place]!);
  const pixels = Buffer.concat([await train.read(shown.map(({ source }) => source!)), await store.readImages(shown.map(({ key }) => key))]);
  return { pixels, columns, captions: [...shown.map(({ class: name }) => name), ...shown.map(({ teacherProbabilities, label }) => teacherProbabilities[label]!.toFixed(2))] };
}
