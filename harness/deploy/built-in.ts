// The built-in target, described like anybody's.
import { readFileSync } from 'node:fs';
import type { Manifest } from '../model/manifest.ts';
import type { TargetDefinition } from './definition.ts';
import { parseManifests } from './read-manifests.ts';

/** `images`: current and next, and whatever else scenarios use. `gracefulEnv`: see harness/settings. */
export function builtInTarget(
  images: Readonly<Record<string, string>>,
  gracefulEnv: Readonly<Record<string, string>>,
): TargetDefinition {
  const file = new URL('../../target/manifests.yaml', import.meta.url);
  const manifests: readonly Manifest[] = parseManifests('target/manifests.yaml', readFileSync(file, 'utf8'));
  return {
    builtIn: true,
    manifests,
    workload: { kind: 'Deployment', name: 'target', container: 'target' },
    service: { name: 'target', port: 80 },
    request: { method: 'GET', path: '/', headers: {}, expectStatus: [] },
    health: { port: 'http', path: '/healthz' },
    podHeader: 'x-rollproof-pod',
    images,
    gracefulEnv,
    stopModeEnv: (mode) => ({ ...gracefulEnv, ON_TERM: mode }),
    adminPort: 8081,
  };
}
