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
    const largest = Math.max(...values);
    let sum = 0;
    for (const value of values) sum += Math.exp(value - largest);
    return largest + Math.log(sum) - values[labels[row]!]!;
  });
}

/** Index of the largest value of each row, [B]. */
export function argmax(values: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: values.length / classes }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++) if (values[row * classes + k] > values[row * classes + best]) best = k;
    return best;
  });
}
