// How a reader of connection tracking knows how far it has come: a mark says the time and then connects to an address where
// nobody answers. When the kernel's event of that connection is read, all events from before that time have been read.

/** Of the node's own loopback interface; nothing listens there, and nothing needs to. */
export const MARK_ADDRESS = '127.0.0.1:1';

const line = /^\[(\d+\.\d+)\] mark$/;

/** When it was made, ms since 1970 by the node's clock; undefined: another line. */
export function markOf(text: string): number | undefined {
  const [, seconds] = line.exec(text) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
