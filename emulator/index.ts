// The emulator's door: Kubernetes v1.34 in this process tree, with nothing to install. Others import from here alone.
export { type EmbeddedCluster, type EmbeddedOptions, startEmbedded } from './cluster.ts';
export { notEmulated } from './node/admission.ts';
export { fullImageName, type ImageSource, type LocalImage } from './node/images.ts';
export { defaultNodes, type NodePlan } from './node/node-object.ts';
