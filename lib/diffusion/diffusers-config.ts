/**
 * What the readers of diffusers' config files share. An option that would change the result and is not supported here is
 * refused, as is one that nobody here knows.
 */
import { z } from 'zod';

import { SparringError } from '../errors.js';

/** An option that is supported with the values that leave things as they are; null stands for the default. */
export const only = <Value extends string | number | boolean>(...values: Value[]) => z.literal(values).nullish();
/** An option that changes nothing here. */
export const any = z.unknown().optional();
export const notes = { _diffusers_version: any, _name_or_path: any, _commit_hash: any };

/** Throws SparringError 'config', which names file, option, expected and found. */
export function check<Schema extends z.ZodType>(schema: Schema, config: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue.path.join('.');
  const hint = 'This option of diffusers is not supported with that value.';
  if (issue.code === 'unrecognized_keys') throw new SparringError('config', `${where}: unknown option '${issue.keys[0]}'.`, 'Options of diffusers that are not supported cannot be left out of account.');
  const found = JSON.stringify(issue.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], config)) ?? 'nothing';
  const expected = issue.code === 'invalid_value' ? `one of ${issue.values.map(String).join(', ')}` : issue.code === 'invalid_union' && 'options' in issue ? `one of ${(issue.options as unknown[]).join(', ')}` : issue.message.replace(/^(Invalid input: expected|Too small: expected|Too big: expected) /, '').replace(/, received .*$/, '');
  throw new SparringError('config', `${where}: ${path ? `${path}: ` : ''}expected ${expected}, found ${found}.`, hint);
}
