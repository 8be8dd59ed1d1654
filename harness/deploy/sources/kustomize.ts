// A folder with a kustomization, built as `kubectl apply -k` would build it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kustomizationFiles } from '../../model/rendering.ts';
import { type ReadManifest, readText } from '../read-manifests.ts';
import { rendered } from './program.ts';

/** The file that makes the folder a kustomization; undefined: it is none. */
export const kustomizationIn = (folder: string): string | undefined =>
  kustomizationFiles.map((name) => join(folder, name)).find((file) => existsSync(file));

/** `field` names the configuration's, in messages. */
export async function buildKustomization(
  folder: string,
  { signal, field }: { readonly signal: AbortSignal; readonly field?: string },
): Promise<ReadManifest[]> {
  const named = field === undefined ? folder : `${field}: ${folder}`;
  const text = await rendered({
    program: 'kubectl',
    args: ['kustomize', folder],
    what: `${named}: the kustomization`,
    missing: `${named}: is a kustomization, and there is no "kubectl" on the PATH to build it. Install kubectl, or build it and name the result under target.manifests.`,
    signal,
  });
  return readText(`kubectl kustomize ${folder}`, text);
}
