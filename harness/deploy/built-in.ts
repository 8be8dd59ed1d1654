// The built-in target, described like anybody's.
import { readFileSync } from 'node:fs';
import type { Manifest } from '../model/manifest.ts';
import type { OwnPods } from '../model/own-pods.ts';
import { builtInContainer, type Container, podTemplateOf, type TargetDefinition } from './definition.ts';
import { ownContainerFields, ownPodFields } from './own-pods.ts';
import { parseManifests } from './read-manifests.ts';

/**
 * `images`: current and next, and whatever else scenarios use. `gracefulEnv`: see harness/settings. `own`: how our
 * programs run where pods are containers; without it the images alone say it.
 */
export function builtInTarget(
  images: Readonly<Record<string, string>>,
  gracefulEnv: Readonly<Record<string, string>>,
  own?: OwnPods,
): TargetDefinition {
  const file = new URL('../../target/manifests.yaml', import.meta.url);
  const written = parseManifests('target/manifests.yaml', readFileSync(file, 'utf8'));
  return {
    builtIn: true,
    manifests: own?.containers ? written.map((manifest) => asContainer(manifest, own)) : written,
    ...(own?.containers && { asProgram: (manifest) => asContainer(manifest, own, images) }),
    workload: { kind: 'Deployment', name: 'target', container: builtInContainer },
    service: { name: 'target', port: 80 },
    request: { method: 'GET', path: '/', headers: {}, expectStatus: [] },
    health: { port: 'http', path: '/healthz' },
    podHeader: 'x-rollproof-pod',
    images,
    gracefulEnv,
    appSwitches,
    stopModeEnv: (mode) => ({ ...gracefulEnv, ON_TERM: mode }),
    adminPort: 8081,
  };
}

/** Longer than a rollout's step, shorter than an experiment. */
const appSwitches = {
  // It answers the health service where it speaks gRPC.
  grpcProbe: { PROTOCOLS: 'all' },
  streamDrain: { STREAM_DRAIN: 'on' },
  connectionAge: { CONNECTION_AGE_MS: '5000', CONNECTION_AGE_GRACE_MS: '5000' },
};

/**
 * What containers of our program need: all of them, or those whose image is one of `names`. Where the pod goes and how
 * it ends is for settings and scenarios to say.
 */
function asContainer(original: Manifest, own: OwnPods, names?: TargetDefinition['images']): Manifest {
  const manifest = structuredClone(original);
  const template = podTemplateOf(manifest);
  const runsIt = ({ image }: Container) => names === undefined || names[image] !== undefined;
  if (!template?.spec.containers.some(runsIt)) return manifest;
  const { securityContext, imagePullSecrets, automountServiceAccountToken, volumes } = ownPodFields(
    own,
    'with-agents',
    {},
  );
  template.spec = {
    ...template.spec,
    securityContext,
    ...(imagePullSecrets !== undefined && { imagePullSecrets }),
    automountServiceAccountToken,
    volumes,
    containers: template.spec.containers.map((container) =>
      runsIt(container)
        ? { ...container, ...ownContainerFields(own, 'target'), ...(names && { image: container.image }) }
        : container,
    ),
  };
  return manifest;
}
