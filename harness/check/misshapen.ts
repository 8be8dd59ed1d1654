// A workload whose fields have a type that no pod can be made of (containers that are text, say): it cannot be judged, and
// what cannot be judged is a problem, never a clean manifest.
import { type FieldPath, fieldName } from '../model/yaml-path.ts';
import { placeIn, type ReadProblem } from './documents.ts';
import { has } from './fields.ts';
import { nameOf, type SourceObject } from './objects.ts';
import { podPathOf } from './pod-template.ts';
import { isWorkload, lacksSelector } from './workload.ts';

/** Where the field stands in the object, and what is wrong with it. */
interface Wrong {
  readonly path: FieldPath;
  readonly says: string;
}

/**
 * The first field of the object that is wrong; undefined: what there is can be read. `patches`: it may be a part of a
 * workload, though it has all that a whole one has but an image.
 */
export function misshapen(object: SourceObject, patches: boolean): ReadProblem | undefined {
  if (!isWorkload(object) && object.kind !== 'Pod') return undefined;
  const wrong = wrongIn(object, !patches && !lacksSelector(object));
  if (!wrong) return undefined;
  const { source, base } = object;
  return {
    file: source.file,
    ...placeIn(source, [...base, ...wrong.path], 'value'),
    sentence: `${nameOf(object)}: ${fieldName(wrong.path)} ${wrong.says}.`,
  };
}

function wrongIn(object: SourceObject, whole: boolean): Wrong | undefined {
  const podPath = podPathOf(object);
  let at: unknown = object.value;
  for (const [index, key] of podPath.entries()) {
    at = (at as Record<PropertyKey, unknown>)[key];
    if (!has(at)) return undefined;
    if (!isObject(at))
      return { path: podPath.slice(0, index + 1), says: mustBe('an object with fields', at) };
  }
  const pod = at as Record<string, unknown>;
  for (const field of ['containers', 'initContainers']) {
    const wrong = wrongInList(pod[field], [...podPath, field], whole);
    if (wrong) return wrong;
  }
  return undefined;
}

function wrongInList(list: unknown, path: FieldPath, whole: boolean): Wrong | undefined {
  if (!has(list)) return undefined;
  if (!Array.isArray(list)) return { path, says: mustBe('a list of containers', list) };
  if (list.length === 0 && whole && path.at(-1) === 'containers')
    return { path, says: 'is empty, and a pod needs a container' };
  for (const [index, container] of (list as readonly unknown[]).entries()) {
    const own = [...path, index];
    if (!isObject(container)) return { path: own, says: mustBe('a container', container) };
    for (const field of ['name', 'image'])
      if (has(container[field]) && typeof container[field] === 'object')
        return { path: [...own, field], says: mustBe('text', container[field]) };
    if (whole && !has(container.image)) return { path: own, says: 'has no image, and the API refuses it' };
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function mustBe(what: string, is: unknown): string {
  const shown = Array.isArray(is) ? 'a list' : typeof is === 'object' ? 'an object' : JSON.stringify(is);
  return `must be ${what}, not ${shown.length > 60 ? `${shown.slice(0, 59)}…` : shown}`;
}
