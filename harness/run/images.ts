// The images that a run needs: ours, built from bundles under tags that carry the bundle's hash, and foreign ones.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageRequest } from '../cluster/provider.ts';
import { bundle } from '../load/bundle.ts';
import { packageRoot } from './tool-version.ts';

export interface OwnImages {
  /** The built-in target by the names that steps use. */
  readonly target: Readonly<Record<string, string>>;
  readonly agent: string;
  /** All that must be provided. */
  readonly requests: readonly ImageRequest[];
}

/** Bundles target and agent (cached by content) and names their images. */
export async function ownImages(): Promise<OwnImages> {
  const [target, agent] = await Promise.all([
    bundle(join(packageRoot, 'target', 'server.ts')),
    bundle(join(packageRoot, 'harness', 'load', 'agent-main.ts')),
  ]);
  const tag = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
  const versions = { current: '1', next: '2', third: '3', previous: '0' } as const;
  const targetImages = Object.fromEntries(
    Object.entries(versions).map(([name, version]) => [name, `rollproof/target:v${version}-${tag(target)}`]),
  );
  const agentImage = `rollproof/agent:${tag(agent)}`;
  const requests: ImageRequest[] = [
    ...Object.entries(versions).map(([name, version]) => ({
      name: targetImages[name] as string,
      build: { bundle: target, env: { VERSION: version } },
    })),
    { name: agentImage, build: { bundle: agent, env: {} } },
  ];
  return {
    target: { ...targetImages, missing: 'rollproof/target:no-such-tag' },
    agent: agentImage,
    requests,
  };
}

/** The requests that these scenarios' steps need; images that are meant to be missing are not among them. */
export function neededRequests(
  own: OwnImages,
  foreign: readonly string[],
  used: ReadonlySet<string>,
): ImageRequest[] {
  const names = new Set([own.agent, own.target.current, ...[...used].map((name) => own.target[name])]);
  return [...own.requests.filter((request) => names.has(request.name)), ...foreign.map((name) => ({ name }))];
}
