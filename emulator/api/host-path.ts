// What of a node's file system is the node's own: its /tmp, as that of its containers is. The rest is this machine's.
import { posix } from 'node:path';

/** "/tmp/data" and what is below; /tmp itself is not: programs expect to find others' files there. */
export function isNodesOwn(path: string): boolean {
  return posix.normalize(path).startsWith('/tmp/') && posix.normalize(path) !== '/tmp/';
}
