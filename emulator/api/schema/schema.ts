// The fields of the served kinds: which exist, of what type, with the description that `kubectl explain` shows.
import content from './kubernetes.schema.json' with { type: 'json' };

/**
 * Name → [type, description]. Types: string, boolean, int32, int64, double, Date, MicroTime, bytes, Quantity, IntOrString, any, object,
 * a type of the schema, [T] for a list, {T} for a map.
 */
export interface TypeSchema {
  description: string;
  fields: Record<string, [type: string, description: string]>;
}

export interface Schema {
  types: Record<string, TypeSchema>;
}

export const schema = content as unknown as Schema;

/** The schema's type of a served kind. */
export function typeNameOf(apiVersion: string, kind: string): string {
  if (kind === 'Event' && apiVersion === 'v1') return 'CoreV1Event';
  if (kind === 'TokenRequest') return 'AuthenticationV1TokenRequest';
  return `${apiVersion.endsWith('v2') ? 'V2' : 'V1'}${kind}`;
}
