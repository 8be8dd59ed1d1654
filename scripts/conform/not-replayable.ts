// Recordings that an emulation without containers cannot replay, each with the reason.
import { notEmulated } from '../../emulator/node/admission.ts';
import type { Recording } from './recording.ts';
import { localImage } from './surroundings.ts';

/** Undefined: it can. */
export function notReplayable({ header }: Recording): string | undefined {
  for (const manifest of header.manifests) {
    const template = podTemplateOf(manifest);
    if (!template) continue;
    const lacking = notEmulated({ spec: template } as Parameters<typeof notEmulated>[0]);
    if (lacking.length > 0) return `${manifest.kind} ${manifest.metadata.name} needs ${lacking.join(', ')}`;
    for (const { image } of template.containers ?? []) {
      if (image && !localImage(image, '')) return `nothing here stands for image ${image}`;
    }
  }
  return undefined;
}

interface PodSpec {
  readonly containers?: readonly { readonly image?: string }[];
}

function podTemplateOf(manifest: Recording['header']['manifests'][number]): PodSpec | undefined {
  const { spec } = manifest as { spec?: { template?: { spec?: PodSpec }; containers?: unknown } };
  if (manifest.kind === 'Pod') return spec as PodSpec | undefined;
  return spec?.template?.spec;
}
