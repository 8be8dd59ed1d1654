// How a reader of connection tracking knows how far it has come: a mark says the time and then connects to an address where
// nobody answers. When the kernel's event of that connection is read, all events from before that time have been read.

/**
 * What the addresses of a reader's marks begin with, of the node's own loopback interface, where nothing listens. Others for
 * each reader, who may not be alone on a node; and each mark has one of its own (1 to MARKS), so that those whose events were
 * lost are not taken for later ones.
 */
export const markNetwork = (): string => `127.${part()}.${part()}`;
export const MARKS = 250;
export const MARK_PORT = 1;
/** host:port that nobody but a reader connects to. */
export const isMark = (address: string): boolean => /^127(\.\d+){3}:1$/.test(address);
const part = (): number => 1 + Math.floor(Math.random() * 254);

interface Mark {
  /** When it was made, ms since 1970 by the node's clock. */
  readonly atMs: number;
  /** What is connected to then. */
  readonly address: string;
}

const line = /^\[(\d+\.\d+)\] mark (\S+)$/;

/** undefined: another line. */
export function markOf(text: string): Mark | undefined {
  const [, seconds, address] = line.exec(text) ?? [];
  return seconds === undefined || address === undefined
    ? undefined
    : { atMs: Number(seconds) * 1000, address };
}
