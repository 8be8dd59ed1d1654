// In which form an answer is wanted: objects, tables, metadata only.
import type { IncomingMessage } from 'node:http';

export type Representation = 'object' | 'table' | 'metadata';

export function wantedRepresentation(req: IncomingMessage): Representation {
  for (const range of mediaRanges(req)) {
    const { type, parameters } = range;
    if (
      type !== 'application/json' ||
      parameters.get('g') !== 'meta.k8s.io' ||
      parameters.get('v') !== 'v1'
    ) {
      if (acceptsPlainJson(range)) return 'object';
      continue;
    }
    const as = parameters.get('as') ?? '';
    if (as === 'Table') return 'table';
    if (as.startsWith('PartialObjectMetadata')) return 'metadata';
  }
  return 'object';
}

export function wantsAggregatedDiscovery(req: IncomingMessage): 'v2' | 'v2beta1' | undefined {
  for (const { parameters } of mediaRanges(req)) {
    if (parameters.get('as') !== 'APIGroupDiscoveryList') continue;
    const version = parameters.get('v');
    if (version === 'v2' || version === 'v2beta1') return version;
  }
  return undefined;
}

/** False when no JSON would be accepted (protobuf or YAML alone). */
export function acceptsJson(req: IncomingMessage): boolean {
  return mediaRanges(req).some(({ type }) => ['application/json', 'application/*', '*/*'].includes(type));
}

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

function acceptsPlainJson({ type, parameters }: MediaRange): boolean {
  return ['application/json', 'application/*', '*/*'].includes(type) && !parameters.has('as');
}
