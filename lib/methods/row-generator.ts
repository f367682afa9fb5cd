/** Rows that tell the generator something else of the classes. */
import type { Generator } from '../native/models.js';
import type { RunContext } from './context.js';
import { learnConditions } from './learned-conditions.js';
import type { Recipe } from './recipes.js';

/** The generator of a row in one round, to be disposed of; null where that is the foundation's. */
export async function ownGenerator(context: RunContext, conditions: NonNullable<Recipe['images']>['conditions'], generator: Generator): Promise<Generator | null> {
  if (!conditions) return null;
  const own = await generator.withOwnConditions();
  try {
    await own.loadConditions((await learnConditions(context, generator)).file);
    return own;
  } catch (error) {
    own[Symbol.dispose]();
    throw error;
  }
}

/** What the store says of them. */
export function provenanceOf({ config }: RunContext, conditions: NonNullable<Recipe['images']>['conditions']): Record<string, unknown> {
  return conditions ? { conditions: { kind: conditions, ...config.daFusion } } : {};
}
