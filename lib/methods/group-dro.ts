/**
 * The online algorithm of GroupDRO (Sagawa et al. 2020, arXiv 1911.08731): groups with a high loss gain weight,
 * q_g <- q_g exp(eta * loss_g) / sum, and the loss of a step is sum over g of q_g loss_g, loss_g the mean of the images
 * of group g in the batch, 0 where there are none. The losses of a step change the weights of the next one.
 */
import type { Batch, Weighing } from '../training/trainer.js';

/** Step size of the group weights, that of the paper. */
const eta = 0.01;

export class GroupDro implements Weighing {
  /** Weights of the groups, which sum to 1. */
  #q: number[];

  constructor(groups: number) {
    this.#q = Array.from({ length: groups }, () => 1 / groups);
  }

  get state(): number[] {
    return this.#q;
  }

  set state(q: number[]) {
    this.#q = q;
  }

  /** q_g * B / (images of group g in the batch), so that the weighted mean over the images is the sum over the groups. */
  weights({ groups }: Batch): Float32Array {
    const counts = this.sums(groups!, () => 1);
    return Float32Array.from(groups!, (group) => (this.#q[group]! * groups!.length) / counts[group]!);
  }

  observe({ groups }: Batch, losses: ArrayLike<number>): void {
    const counts = this.sums(groups!, () => 1);
    const means = this.sums(groups!, (image) => losses[image]!).map((sum, group) => sum / Math.max(1, counts[group]!));
    const largest = Math.max(...means); // taken off all of them, which changes nothing but keeps exp finite
    const raised = this.#q.map((q, group) => q * Math.exp(eta * (means[group]! - largest)));
    const total = raised.reduce((sum, q) => sum + q, 0);
    this.#q = raised.map((q) => q / total);
  }

  private sums(groups: ArrayLike<number>, value: (image: number) => number): number[] {
    const sums = this.#q.map(() => 0);
    for (let image = 0; image < groups.length; image++) sums[groups[image]!]! += value(image);
    return sums;
  }
}
