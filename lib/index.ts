/** The public API of sparring. Everything that the command line does can be done from here. */
export { SparringError, exitCodeOf, type ErrorCode } from './errors.js';
export { packageVersion } from './version.js';

// Configuration and the main job
export { resolveConfig, readConfigFile, applyOverrides } from './config/load.js';
export { configSchema, type Config, type ConfigInput } from './config/schema.js';
export { quickstartConfig } from './config/quickstart.js';
export { readStudy, resolveStudy, type Study, type StudyOptions } from './config/study.js';
export { overviewOf, runStudy, type StudyOverview, type StudyResult, type StudyRunOptions } from './study/run.js';
export { type Difference, type Mean, type StudyRow } from './study/results.js';
export { runDistil, type RunOptions, type RunResult } from './methods/run.js';
export { planOf } from './methods/plan.js';
export { makeFoundation, type FoundationResult } from './methods/make-foundation.js';
export { makeDiscretiser, type DiscretiserResult } from './methods/make-discretiser.js';
export { discretise } from './methods/discretiser.js';
export { generateToStore, type GenerateRequest, type GenerateResult } from './methods/generate-to-store.js';
export { discretiseToStore, type DiscretiseRequest, type DiscretiseResult } from './methods/discretise-to-store.js';
export { evaluate, predictAll } from './methods/evaluate.js';
export { evaluateAttacked } from './methods/evaluate-attacked.js';
export { evaluateSpurious, type SpuriousEvaluation, type SpuriousOptions } from './methods/evaluate-spurious.js';
export { evaluateOod, type OodMetrics, type OodOptions, type SetAccuracy } from './methods/evaluate-ood.js';
export { evaluateCorruptions, type CorruptionEvaluation, type CorruptionOptions } from './methods/evaluate-corruptions.js';
export { loadImageNetClassifier } from './methods/imagenet-classifier.js';
export { rememberIn, type Remember } from './methods/remembered.js';
export { methods, type Method, type Row, type Summary } from './report/rows.js';

// Models and training, step by step
export { Engine, type Cancellable, type EngineOptions } from './native/engine.js';
export { Lpips } from './native/lpips.js';
export { Autoencoder, Classifier, Generator } from './native/models.js';
export { pixelGenerator, type PixelGeneratorOptions } from './config/generators.js';
export { pretrainedGenerator, type PretrainedOptions } from './diffusion/pretrained.js';
export { autoencoderSpecs } from './config/autoencoders.js';
export { Trainer, type Batch } from './training/trainer.js';
export type { Architecture, AugmentOptions, AutoencoderSpec, ClassifierSpec, Corruption, CorruptionSeverity, DenoiserSpec, DiscreteAdversaries, DiscreteAttack, EvaluationAttack, GenerateOptions, Generated, Guidance, ObjectiveOptions, Precision, PrototypeGuidance, Prototypes, SamplingStart, StepResult } from './native/contract.js';

// Weights on disk
export { listNetworks, type ListedNetwork } from './models/catalog.js';
export { convertModel } from './models/convert.js';
export { inspectModel, type Inspection } from './models/inspect.js';
export { verifyModel, type Verification } from './models/verify.js';
export type { Description } from './models/open.js';

// CLIP
export { zeroShotClassifier, type ZeroShotOptions } from './clip/zero-shot.js';
export { ClipTokenizer } from './clip/tokenizer.js';
export { openTokenizer } from './clip/vocabulary.js';

// Data, metrics, samples
export { listImages, openData } from './data/open.js';
export { checkData, type DataCheck } from './data/check.js';
export { openListing, type DecodingOptions, type ListedSplits } from './data/listed-dataset.js';
export type { ImageRecord, Listing } from './data/records.js';
export { transforms, type Transform } from './data/transform.js';
export { openFolder, findUnreadableImages } from './data/folder.js';
export { birdSplits } from './data/birds-dataset.js';
export { spuCoMnistSplits } from './data/spuco-mnist.js';
export { commonCorruptions, corrupt, corrupted, heldOutCorruptions, type CorruptOptions } from './data/corruptions.js';
export { writeCorrupted, type CorruptedFolder, type CorruptedFolderOptions } from './data/corrupted-folder.js';
export { MemoryDataset, dropGroups, groupCounts, subset } from './data/memory.js';
export type { Dataset, Splits } from './data/types.js';
export { gapClosed, groupMetrics, type GroupMetrics } from './metrics/groups.js';
export { wilsonInterval } from './metrics/intervals.js';
export { meanInterval, studentT95 } from './metrics/student-t.js';
export { averagePrecision, rocAuc } from './metrics/ranking.js';
export { spuriousMetrics, type SpuriousClass, type SpuriousMetrics } from './metrics/spurious.js';
export { alexNetErrors, asReference, corruptionMetrics, type CorruptionMetrics, type MeasuredErrors, type ReferenceErrors } from './metrics/corruption-error.js';
export { shapeBias, type ShapeBias } from './metrics/shape-bias.js';
export { openStore, type SampleStore } from './store/store.js';

// Environment
export { environmentReport, type EnvironmentReport } from './native/environment.js';
export { findLibtorch, installLibtorch } from './libtorch/index.js';
