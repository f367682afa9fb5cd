/** Average precision and ROC AUC against scikit-learn. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { averagePrecision, rocAuc } from '../../lib/metrics/ranking.js';

interface Case {
  name: string;
  labels: number[];
  scores: number[];
  averagePrecision: number;
  rocAuc: number;
}

const cases: Case[] = JSON.parse(readFileSync(new URL('goldens/ranking.json', import.meta.url), 'utf8'));

test('equal to scikit-learn to 1e-9, with and without ties', () => {
  assert.ok(cases.length >= 12);
  assert.ok(cases.some(({ scores }) => new Set(scores).size < scores.length / 10), 'many ties');
  for (const { name, labels, scores, ...expected } of cases) {
    const found = { averagePrecision: averagePrecision(labels, scores), rocAuc: rocAuc(labels, scores) };
    for (const measure of ['averagePrecision', 'rocAuc'] as const) {
      assert.ok(Math.abs(found[measure] - expected[measure]) < 1e-9, `${name}: ${measure} ${found[measure]}, scikit-learn ${expected[measure]}`);
    }
  }
});

test('the order of the items does not matter, also within ties', () => {
  for (const { name, labels, scores } of cases) {
    const turned = (values: number[]): number[] => [...values].reverse();
    assert.ok(Math.abs(averagePrecision(labels, scores) - averagePrecision(turned(labels), turned(scores))) < 1e-12, name);
    assert.ok(Math.abs(rocAuc(labels, scores) - rocAuc(turned(labels), turned(scores))) < 1e-12, name);
  }
});

test.run();
