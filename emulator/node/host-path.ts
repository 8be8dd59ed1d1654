// hostPath volumes. A path of this machine is there to be read. Below /tmp a path that this machine lacks is the node's
// own: a folder that lives as long as the cluster, so that pods on one node can hand something on.
// Source: pkg/volume/hostpath/host_path.go for the types and their words.
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isNodesOwn } from '../api/host-path.ts';

export interface HostPlace {
  /** Of this machine. */
  readonly path: string;
  /** The node's own: it may be written. */
  readonly own: boolean;
}

/** `folder`: the node's. */
export function hostPlace(folder: string, path: string): HostPlace {
  const place = join(folder, path);
  if (isNodesOwn(path) && (existsSync(place) || !existsSync(path))) return { path: place, own: true };
  return { path, own: false };
}

/** Makes what may be made. A text says why it cannot be mounted. */
export function prepareHostPath({ path, own }: HostPlace, said: string, type = ''): string | undefined {
  const failed = (why: string) => `hostPath type check failed: ${said} ${why}`;
  if (!existsSync(path)) {
    if (!own || type === 'Directory' || type === 'File') {
      return failed(
        type === 'Directory' || type === 'File' ? `is not a ${type.toLowerCase()}` : 'is not there',
      );
    }
    if (type === 'FileOrCreate') {
      if (!existsSync(dirname(path))) return failed('is not there');
      writeFileSync(path, '', { mode: 0o644 });
    } else {
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o755);
    }
    return undefined;
  }
  const isFolder = statSync(path).isDirectory();
  if (type.startsWith('Directory') && !isFolder) return failed('is not a directory');
  if (type.startsWith('File') && isFolder) return failed('is not a file');
  return undefined;
}
