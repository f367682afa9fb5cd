/**
 * Where a LibTorch can be fetched from: data only. Sources are tried in the order listed.
 *
 * Checksums are SHA-256. An archive is never unpacked without one; a wheel comes through pip, which checks the
 * hashes of its index, and is checked here as well where its hash is known. PyTorch publishes no list of checksums
 * for archives: the one here is what three independent projects recorded for that file.
 */
export type Variant = 'cpu' | 'cu130';
export const VARIANTS: readonly Variant[] = ['cpu', 'cu130'];

/** Platforms that LibTorch and this addon exist for. */
export type Platform = 'linux-x64';

export interface ArchiveSource {
  kind: 'archive';
  url: string;
  /** Size of the download, bytes. */
  size: number;
  sha256: string;
}

export interface WheelSource {
  kind: 'wheel';
  /** What pip is asked for. */
  requirement: string;
  /** Asked when the index that pip is configured for does not have it. */
  index: string;
  /** Size of the download with dependencies, bytes; rounded where it is not pinned. */
  size: number;
  /** Of the torch wheel, where known. */
  sha256?: string;
  /** The CUDA libraries are wheels of their own, found by libtorch_cuda through a relative path. */
  withDependencies: boolean;
}

export type Source = ArchiveSource | WheelSource;

/** The version that `libtorch install` gets: the newest supported one. */
export const INSTALL_VERSION = '2.13.0';

export const MANIFEST: Record<string, Record<Variant, Partial<Record<Platform, readonly Source[]>>>> = {
  '2.13.0': {
    cpu: {
      'linux-x64': [
        {
          kind: 'archive',
          url: 'https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-2.13.0%2Bcpu.zip',
          size: 126_385_248,
          sha256: 'edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e',
        },
        {
          kind: 'wheel',
          requirement: 'torch==2.13.0+cpu',
          index: 'https://download.pytorch.org/whl/cpu',
          size: 191_794_682,
          sha256: '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
          withDependencies: false,
        },
      ],
    },
    // The CUDA archive leaves out cuBLAS, cuDNN and the others; the wheels bring them.
    cu130: {
      'linux-x64': [
        {
          kind: 'wheel',
          requirement: 'torch==2.13.0+cu130',
          index: 'https://download.pytorch.org/whl/cu130',
          size: 3_000_000_000,
          withDependencies: true,
        },
      ],
    },
  },
};

/** `linux-x64`; also names the cache folder. */
export function currentPlatform(): string {
  return `${process.platform}-${process.arch}`;
}

/** The sources for a version, variant and platform; empty when there is none. */
export function sourcesFor(version: string, variant: Variant, platform: string): readonly Source[] {
  return MANIFEST[version]?.[variant][platform as Platform] ?? [];
}

/** Size of the first source as text, for help and error messages. */
export function downloadSize(variant: Variant = 'cpu'): string {
  const source = sourcesFor(INSTALL_VERSION, variant, currentPlatform())[0];
  return source ? formatBytes(source.size) : 'not available for this platform';
}

/** `126 MB`, `3.0 GB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(0)} MB`;
  return `${(bytes / 1e3).toFixed(0)} kB`;
}
