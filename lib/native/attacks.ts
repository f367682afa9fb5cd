/** The part of the native core that attacks classifiers. */
import type { SamplingOptions } from './generation.js';
import type { AutoencoderHandle, ClassifierHandle, DenoiserHandle, Fields, JobControl, Precision } from './handles.js';

export type AttackNorm = 'l2' | 'linf';

/** How an attack searches the ball around an image in 0..1. */
export interface AttackSearch {
  norm: AttackNorm;
  /** Radius of the ball: `l2` of the whole image, `linf` of each value. */
  epsilon: number;
  /** Length of a step, measured likewise. */
  stepSize: number;
  steps: number;
  /** Probability of beginning at a random point of the ball: `l2` a Gaussian direction of length epsilon, `linf` uniform. */
  randomStart: number;
}

/** `noise-only`: a random point of the ball in place of gradient steps; `sample-only`: the image, discretised twice. */
export type DiscreteVariant = 'adversarial' | 'noise-only' | 'sample-only';

/** With l2, epsilon and stepSize are those of 224 px images: at another size they are times side / 224. */
export interface DiscreteAttack extends AttackSearch {
  variant: DiscreteVariant;
}

/** `fgsm` uses epsilon alone; `apgd` (Auto-PGD on the cross-entropy) finds its step sizes itself. */
export interface EvaluationAttack extends AttackSearch {
  kind: 'fgsm' | 'pgd' | 'apgd';
}

/** Q: encoder, nearest codes and decoder of a `vqgan`, or a generator. */
export type DiscretiserHandle = AutoencoderHandle | GeneratorAsDiscretiser;

/** It draws the image anew from `sampling.start` on, which is of kind `image`, whatever the class (SDEdit, arXiv 2108.01073). */
export interface GeneratorAsDiscretiser {
  generator: DenoiserHandle;
  sampling: SamplingOptions;
}

interface AttackRun {
  /** Of the random start, and of the noise of a generator, one for each image: with it an image is the same in any batch. */
  seeds: ArrayLike<number>;
  precision: Precision;
}

export interface DiscreteAdversaries {
  /** [B, size, size, 3] */
  images: Uint8Array;
  /** The classifier's, of the 8-bit images, [B, K]. */
  probabilities: Float32Array;
}

export interface NativeAttacks {
  /**
   * Q(Q(x) + delta) of images, delta being what raises the classifier's cross-entropy at Q(x) (arXiv 2209.07735, 2311.01441).
   */
  discreteAdversarial(
    classifier: ClassifierHandle,
    discretiser: DiscretiserHandle,
    images: Uint8Array,
    labels: Int32Array,
    options: DiscreteAttack & AttackRun,
    control?: JobControl,
  ): Promise<DiscreteAdversaries>;
  /** Throws what `discreteAdversarial` would throw for a discretiser of images of this side. */
  checkDiscretiser(discretiser: DiscretiserHandle, imageSize: number): Promise<void>;
  /** Logits of the attacked images, [B, K], which are not rounded to 8 bits. */
  attack(classifier: ClassifierHandle, images: Uint8Array, labels: Int32Array, options: EvaluationAttack & AttackRun, control?: JobControl): Promise<Float32Array>;
}

/** Images are [B, 3, size, size] in 0..1. */
export interface NativeAttackInspection {
  /** One step along the gradient, and the way back into the ball around `centre`. */
  attackStep(options: { x: Float32Array; centre: Float32Array; gradient: Float32Array; norm: AttackNorm; epsilon: number; stepSize: number; size: number }): Fields<'x'>;
  attackStart(options: { centre: Float32Array; norm: AttackNorm; epsilon: number; randomStart: number; seeds: ArrayLike<number>; size: number }): Fields<'x'>;
  /** `losses`: cross-entropy of the attacked images, [B]. */
  attackedImages(classifier: ClassifierHandle, images: Uint8Array, labels: Int32Array, options: EvaluationAttack & AttackRun): Fields<'images' | 'losses'>;
  /** Q(x), z within the ball around it, and Q(z). */
  discreteSteps(
    classifier: ClassifierHandle,
    discretiser: DiscretiserHandle,
    images: Uint8Array,
    labels: Int32Array,
    options: DiscreteAttack & AttackRun,
  ): Fields<'reconstruction' | 'moved' | 'images'>;
  /** Q(x) */
  discretise(discretiser: DiscretiserHandle, options: { x: Float32Array; seeds: ArrayLike<number>; size: number; precision: Precision }): Fields<'images'>;
}
