// One container of a pod, with where it stands in its manifest.
import type { FieldPath } from '../model/yaml-path.ts';
import { type Fields, fields, list, textOrNumber } from './fields.ts';

export interface Container {
  readonly path: FieldPath;
  readonly value: Fields;
  readonly name: string;
  readonly image: string;
  /** An init container with restartPolicy Always: it runs beside the containers. */
  readonly sidecar: boolean;
}

export function containersAt(value: unknown, path: FieldPath): readonly Container[] {
  return list(value).map((entry, index) => {
    const container = fields(entry);
    return {
      path: [...path, index],
      value: container,
      name: textOrNumber(container.name) ?? `number ${index + 1}`,
      image: textOrNumber(container.image) ?? '',
      sidecar: path.at(-1) === 'initContainers' && container.restartPolicy === 'Always',
    };
  });
}

/** What a sentence calls a container: `container "app" of Deployment shop/web`. */
export function containerName(container: Container): string {
  return `container "${container.name}"`;
}

/** Ports that the container declares. */
export function declaredPorts(container: Container): readonly Fields[] {
  return list(container.value.ports).map(fields);
}

/** Command and arguments as one list of words; the image's own where the manifest says none. */
function commandOf({ value }: Container): readonly string[] {
  return [...list(value.command), ...list(value.args)].map(String);
}

/** A container that only waits (`sleep infinity`, `tail -f /dev/null`): somebody logs in to it, nobody connects. */
export function onlyWaits(container: Container): boolean {
  const words = commandOf(container).join(' ');
  return /^(\S*sh -c )?(exec )?(while (true|:); ?do )?(\S*\/)?(sleep (inf(inity)?|\d+[smhd]?)|tail -f \/dev\/null|pause)\b[^&|]*$/.test(
    words.trim(),
  );
}
