// How a reader of connection tracking knows how far it has come: a mark says the time and then connects to an address where
// nobody answers. When the kernel's event of that connection is read, all events from before that time have been read.

/** Of the node's own loopback interface; nothing listens there. Another one for each reader, who may not be alone on a node. */
export const markAddress = (): string => `127.${part()}.${part()}.${part()}:1`;
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
