/** What other workspaces use: tarballs of the packages, and an example that is installed with them. */
export { installExample } from './installExample.ts';
export { makeTarballs } from './packPackages.ts';
