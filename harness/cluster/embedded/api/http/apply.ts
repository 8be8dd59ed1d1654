// Server-side apply is refused; kubectl then says so and client-side apply works.
import { unsupportedMediaType } from '../errors.ts';
import type { ResourceDefinition } from '../resources.ts';
import type { Exchange } from './context.ts';

export function applyObject(
  _exchange: Exchange,
  _stored: ResourceDefinition,
  _subresource: 'status' | undefined,
  _body: string,
): void {
  throw unsupportedMediaType([
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ]);
}
