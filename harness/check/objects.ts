// Kubernetes objects found in documents: one per document, or the items of a List.
import type { FieldPath } from '../model/yaml-path.ts';
import type { ReadDocument, SourceDocument } from './documents.ts';
import { type Fields, fields, list, text } from './fields.ts';

/** An object with the place it was written in. */
export interface SourceObject {
  readonly source: SourceDocument;
  /** Where it stands in its document: empty, or an item of a List. */
  readonly base: FieldPath;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly value: Fields;
}

const ITEM_DEPTH_LIMIT = 5;

/** The objects of the documents, in their order; what is no Kubernetes object (values of a chart, say) is left out. */
export function objectsOf(documents: readonly ReadDocument[]): readonly SourceObject[] {
  return documents.flatMap(({ source, value }) => objectsIn(source, value, [], 0));
}

function objectsIn(source: SourceDocument, value: unknown, base: FieldPath, depth: number): SourceObject[] {
  const object = fields(value);
  const apiVersion = text(object.apiVersion);
  const kind = text(object.kind);
  if (!apiVersion || !kind || depth > ITEM_DEPTH_LIMIT) return [];
  if (kind.endsWith('List') && Array.isArray(object.items))
    return list(object.items).flatMap((item, index) =>
      objectsIn(source, withItemKind(item, apiVersion, kind), [...base, 'items', index], depth + 1),
    );
  const metadata = fields(object.metadata);
  return [
    {
      source,
      base,
      apiVersion,
      kind,
      name: text(metadata.name) ?? text(metadata.generateName) ?? '(no name)',
      namespace: text(metadata.namespace),
      value: object,
    },
  ];
}

/** Items of a typed list (DeploymentList) may leave out what the list already says. */
function withItemKind(item: unknown, apiVersion: string, kind: string): unknown {
  const own = fields(item);
  if (kind === 'List' || (own.apiVersion && own.kind)) return item;
  return { apiVersion, kind: kind.slice(0, -'List'.length), ...own };
}

/** `Deployment shop/web` */
export function nameOf(object: SourceObject): string {
  return `${object.kind} ${object.namespace ? `${object.namespace}/` : ''}${object.name}`;
}

/** API group of an object, without its version: `apps`; empty for the core group. */
export function groupOf(object: SourceObject): string {
  return object.apiVersion.includes('/') ? object.apiVersion.split('/')[0]! : '';
}

/** Same namespace, as far as the manifests say: what is left out is decided when they are applied. */
export function sameNamespace(a: SourceObject, b: SourceObject): boolean {
  return a.namespace === undefined || b.namespace === undefined || a.namespace === b.namespace;
}

/**
 * Whether two objects may mean each other: they name the same namespace, or they stand in one folder's tree. Examples
 * of a repository that lie side by side use the same names and have nothing to do with each other.
 */
export function belongTogether(a: SourceObject, b: SourceObject): boolean {
  if (a.namespace !== undefined && b.namespace !== undefined) return a.namespace === b.namespace;
  return isAbove(a.source.scope, b.source.scope) || isAbove(b.source.scope, a.source.scope);
}

/** The folder, or one above it. */
export function isAbove(folder: string, below: string): boolean {
  return folder === '' || folder === below || below.startsWith(`${folder}/`);
}

/** `Service "web"` or `Deployment shop/web`, with its file where that is another one. */
export function partnerName(partner: SourceObject, of: SourceObject): string {
  const file = partner.source.file === of.source.file ? '' : ` (${partner.source.file})`;
  return `${partner.kind === 'Service' ? `Service "${partner.name}"` : nameOf(partner)}${file}`;
}

/** Folders that sort by kind, or hold what overlays share, are the folder above them. */
const sorting =
  /^(\d+[-_])?(deploy(ment)?s?|services?|svc|workloads?|statefulsets?|daemonsets?|hpas?|autoscal\w*|pdbs?|budgets?|ingress(es)?|config(map)?s?|rbac|rollouts?|manifests?|templates|resources?|base|bases|common)$/i;

/** Where a file that was found in a folder belongs; a file that was named belongs to everything. */
export function scopeOf(file: string, found: boolean): string {
  if (!found) return '';
  const folders = file.split(/[\\/]/).slice(0, -1);
  while (folders.length > 0 && sorting.test(folders.at(-1)!)) folders.pop();
  return folders.join('/');
}
