/** Row-wise softmax of logits [B, classes], flat. */
export function softmax(logits: Float32Array, classes: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    const values = logits.subarray(row, row + classes);
    const largest = Math.max(...values);
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += probabilities[row + k] = Math.exp(values[k] - largest);
    for (let k = 0; k < classes; k++) probabilities[row + k] /= sum;
  }
  return probabilities;
}

/** Cross-entropy of each row of logits [B, classes] to its label, [B]. */
export function crossEntropy(logits: Float32Array, labels: ArrayLike<number>, classes: number): Float32Array {
  return Float32Array.from({ length: logits.length / classes }, (_, row) => {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    return logSumExp(values) - values[labels[row]!]!;
  });
}

/** Cross-entropy of each row of logits [B, classes] to a distribution over the classes, [B]. */
export function softCrossEntropy(logits: Float32Array, targets: readonly ArrayLike<number>[]): Float32Array {
  const classes = logits.length / targets.length;
  return Float32Array.from(targets, (target, row) => {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    const normaliser = logSumExp(values);
    return values.reduce((sum, value, k) => sum + target[k]! * (normaliser - value), 0);
  });
}

/** Index of the largest value of each row, [B]; with `among`, of the largest of those columns. */
export function argmax(values: Float32Array, classes: number, among: ArrayLike<number> = Array.from({ length: classes }, (_, k) => k)): Int32Array {
  return Int32Array.from({ length: values.length / classes }, (_, row) => {
    let best = among[0]!;
    for (let place = 1; place < among.length; place++) if (values[row * classes + among[place]!]! > values[row * classes + best]!) best = among[place]!;
    return best;
  });
}

function logSumExp(values: Float32Array): number {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}
