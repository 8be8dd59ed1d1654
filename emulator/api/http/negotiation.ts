// In which form an answer is wanted: objects, tables, metadata only.
import type { IncomingMessage } from 'node:http';
import { protobufType } from '../protobuf/encode.ts';

type Representation = 'object' | 'table' | 'metadata';

interface Wanted {
  representation: Representation;
  media: 'json' | 'protobuf';
}

export const wantedRepresentation = (req: IncomingMessage): Representation => wantedForm(req).representation;

/** The first form of the Accept header that there is; tables are JSON only. */
export function wantedForm(req: IncomingMessage): Wanted {
  for (const range of mediaRanges(req)) {
    const { type, parameters } = range;
    const media = type === protobufType ? 'protobuf' : isJson(type) ? 'json' : undefined;
    if (!media) continue;
    const as = parameters.get('as') ?? '';
    if (as === '') return { representation: 'object', media };
    if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') continue;
    if (as === 'Table' && media === 'json') return { representation: 'table', media };
    if (as.startsWith('PartialObjectMetadata')) return { representation: 'metadata', media };
  }
  return { representation: 'object', media: 'json' };
}

export function wantsAggregatedDiscovery(req: IncomingMessage): 'v2' | 'v2beta1' | undefined {
  for (const { parameters } of mediaRanges(req)) {
    if (parameters.get('as') !== 'APIGroupDiscoveryList') continue;
    const version = parameters.get('v');
    if (version === 'v2' || version === 'v2beta1') return version;
  }
  return undefined;
}

/** False when neither JSON nor protobuf would be accepted (YAML alone). */
export function acceptsKnownForm(req: IncomingMessage): boolean {
  return mediaRanges(req).some(({ type }) => type === protobufType || isJson(type));
}

const isJson = (type: string) => ['application/json', 'application/*', '*/*'].includes(type);

interface MediaRange {
  type: string;
  parameters: Map<string, string>;
}

function mediaRanges(req: IncomingMessage): MediaRange[] {
  const header = req.headers.accept ?? '*/*';
  return header.split(',').map((text) => {
    const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
    return {
      type,
      parameters: new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string])),
    };
  });
}
