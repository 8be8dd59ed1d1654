// A file that a user has named, read whole. A device never ends, a pipe into which nobody writes never begins: both are
// refused with a reason, where plain reading would wait, or fill the memory.
import { closeSync, constants, openSync, readFileSync, readSync, type Stats, statSync } from 'node:fs';

/** Until somebody writes into a pipe, and until all of it has come, ms. */
export const pipeLimitMs = { writer: 5000, whole: 120_000 };
const PIPE_LOOK_MS = 20;
const MOST_BYTES = 64 * 1024 * 1024;

/** Its message is the reason, as it follows "FILE: ". */
export class UnreadableError extends Error {}

/** Throws UnreadableError. `mostBytes`: what is longer is refused. */
export function readNamedFile(file: string, mostBytes = MOST_BYTES): Buffer {
  try {
    const found = statSync(file);
    if (found.isDirectory()) throw new UnreadableError('is a folder, not a file');
    if (found.isFIFO()) return readPipe(file, mostBytes);
    if (isNothing(found)) return Buffer.alloc(0);
    if (!found.isFile()) throw new UnreadableError('is a device or a socket, not a file');
    if (found.size > mostBytes)
      throw new UnreadableError(`has ${found.size} bytes, and at most ${mostBytes} are read`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    throw new UnreadableError(reasonOf(error), { cause: error });
  }
}

/** /dev/null, which people name where they want nothing read (`--config /dev/null`). */
function isNothing(found: Stats): boolean {
  return found.isCharacterDevice() && statSync('/dev/null', { throwIfNoEntry: false })?.rdev === found.rdev;
}

export const readNamedText = (file: string, mostBytes?: number): string =>
  readNamedFile(file, mostBytes).toString('utf8');

/** Of an error of the operating system. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'ELOOP') return 'is a symbolic link that leads back to itself';
  return `cannot be read (${code ?? message})`;
}

export const nobodyWrites = (): string => `nobody wrote into this pipe within ${pipeLimitMs.writer / 1000} s`;
export const writerStays = (): string =>
  `whoever writes into this pipe had not ended after ${pipeLimitMs.whole / 1000} s`;

/** `<(envsubst < rollproof.yaml)` of a shell is one. Not as a file is read: that would wait for a writer for ever. */
function readPipe(file: string, mostBytes: number): Buffer {
  const pipe = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const chunk = Buffer.alloc(64 * 1024);
  const chunks: Buffer[] = [];
  const startedAt = performance.now();
  let bytes = 0;
  let hasWriter = false;
  try {
    for (;;) {
      const length = readNow(pipe, chunk);
      if (length === 0 && hasWriter) return Buffer.concat(chunks);
      hasWriter ||= length !== 0;
      if (length) {
        chunks.push(Buffer.from(chunk.subarray(0, length)));
        bytes += length;
        if (bytes > mostBytes)
          throw new UnreadableError(`has more than the ${mostBytes} bytes that are read`);
        continue;
      }
      const waitedMs = performance.now() - startedAt;
      if (waitedMs > (hasWriter ? pipeLimitMs.whole : pipeLimitMs.writer))
        throw new UnreadableError(hasWriter ? writerStays() : nobodyWrites());
      Atomics.wait(pause, 0, 0, PIPE_LOOK_MS);
    }
  } finally {
    closeSync(pipe);
  }
}

/** 0: nobody writes (any more); undefined: somebody may, and there is nothing yet. */
function readNow(pipe: number, chunk: Buffer): number | undefined {
  try {
    return readSync(pipe, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}
