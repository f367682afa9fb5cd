/** LibTorch on this machine: find it, install it, check it. */
export { cacheDirectory, listInstallations, removeInstallation } from './cache.js';
export type { Installation, InstallRecord } from './cache.js';
export { findLibtorch, formatTrace, libtorchMissing } from './discover.js';
export type { Attempt, Discovery, DiscoveryOptions, LibTorch } from './discover.js';
export { installLibtorch } from './install.js';
export type { InstallEvents, InstallOptions } from './install.js';
export { downloadSize, INSTALL_VERSION, VARIANTS } from './manifest.js';
export type { Variant } from './manifest.js';
export { showSteps } from './progress.js';
export { verifyInstallation } from './verify.js';
export type { Verification } from './verify.js';
export { minorOf, SUPPORTED_MINORS } from './version.js';
