/** A set of labelled images. Attributes (the suspected spurious feature) are used for evaluation only. */
export interface Dataset {
  readonly name: string;
  /** Class names; a label is an index into it. */
  readonly classes: readonly string[];
  /** Attribute names; group = label * attributes.length + attribute. */
  readonly attributes: readonly string[];
  /** Side of the square images in pixels. */
  readonly imageSize: number;
  readonly length: number;
  /** [length], class index per image. */
  readonly labels: Int32Array;
  /** [length], attribute index per image. */
  readonly attributeOf: Int32Array;
  /** [length], what a text says of each image; absent where none has one. */
  readonly captions?: readonly (string | undefined)[] | undefined;
  /** Decoded RGB pixels of the given records, uint8, [indices.length, imageSize, imageSize, 3]. */
  read(indices: ArrayLike<number>): Promise<Uint8Array>;
}

/** The sets of one task, all with the same classes, attributes and image size. */
export interface Splits {
  /** What the student is trained on; groups may be absent. */
  train: Dataset;
  /** Distributed as `train`; undefined where the source has none. */
  validation?: Dataset;
  /** What is reported; every group that matters is present. */
  test: Dataset;
  /** Every group, some of them rare: what a generator that saw the wide world is trained on. */
  broad?: Dataset;
  /** Every group equally often: what a robust teacher is trained on. */
  balanced?: Dataset;
  /** What does not fit but leaves the data usable, a sentence each. */
  warnings?: readonly string[];
}

export function groupName(dataset: Pick<Dataset, 'classes' | 'attributes'>, group: number): string {
  const attributes = dataset.attributes.length;
  return `${dataset.classes[Math.floor(group / attributes)]}/${dataset.attributes[group % attributes]}`;
}
