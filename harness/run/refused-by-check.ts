// What an API server refuses of somebody's manifests, as far as our static check knows it: said with file and line before
// anything is started.
import { checkManifests } from '../check/check.ts';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';

/** Rules of which every finding is a refusal. */
const refusals: ReadonlySet<string> = new Set(['refused-by-api', 'surge-and-unavailable-zero']);

/** `kept`: what is created. Throws UsageError with a line for each refusal. */
export function refuseWhatApiRefuses(read: readonly ReadManifest[], kept: readonly Manifest[]): void {
  const created = new Set(kept.map(nameOf));
  const texts = read.flatMap(({ manifest }, index) =>
    // JSON, whose texts are quoted: "off" without quotes would be a boolean.
    created.has(nameOf(manifest)) ? [{ file: String(index), text: JSON.stringify(manifest) }] : [],
  );
  const { findings } = checkManifests(texts);
  const sentences = findings
    .filter(({ rule }) => refusals.has(rule))
    .map(({ file, message }) => `${read[Number(file)]?.at()}: ${message}`);
  if (sentences.length > 0)
    throw new UsageError([...sentences, 'The API server would refuse this; nothing was started.'].join('\n'));
}

/** A kustomization beside the manifests has no name. */
const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata?.name}`;
