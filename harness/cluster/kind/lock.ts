// One process at a time, also where one is killed in the middle.
//
// A folder of numbered files, each of which names a process and is put there whole and at once (link, which fails when
// the number is taken). A number is finished when its process is gone or has given it back. Who finds the highest number
// finished tries the next one, and is in when none is higher.
//
// At most one is in: let N be the highest number. It was made after N-1 was finished, so nobody is in with a lower one.
// Who comes late, from an old look at the folder, makes a number below N (those are taken away), sees N and goes back.
// The highest number is never taken away, so it only grows, and what is given back can be nobody else's.
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity, processIdentitySchema } from '../../exec/process-identity.ts';
import { untilDone, waitFor } from '../../kube/wait.ts';
import { FaultError } from '../../model/errors.ts';

const POLL_MS = 50;
const GIVEN_BACK = 'given back';

/** `limitMs`: for the others to get out. Throws FaultError that names the process that is in. */
export async function withLock<T>(
  folder: string,
  me: ProcessIdentity,
  limitMs: number,
  body: () => T | Promise<T>,
): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const mine = await waitFor<string>(
    {
      what: `another rollproof to let go of ${folder}`,
      limitMs,
      everyMs: POLL_MS,
      signal: untilDone,
      hint: 'End that process, or wait for it.',
    },
    () => {
      const taken = take(folder, me);
      return taken.file === undefined ? { seen: taken.holder } : { met: taken.file };
    },
  );
  try {
    return await body();
  } finally {
    giveBack(folder, mine);
  }
}

function take(
  folder: string,
  me: ProcessIdentity,
): { file: string; holder?: never } | { file?: never; holder: string } {
  const highest = highestIn(folder);
  const holder = holderOf(join(folder, String(highest)));
  if (holder && isAlive(holder)) return { holder: `process ${holder.pid}` };
  const number = highest + 1;
  const file = join(folder, String(number));
  if (!put(folder, file, me)) return { holder: 'another process was faster' };
  if (highestIn(folder) !== number) {
    // From an old look: somebody has long gone past this number.
    rmSync(file, { force: true });
    return { holder: 'another process was faster' };
  }
  for (const lower of numbersIn(folder))
    if (lower < number) rmSync(join(folder, String(lower)), { force: true });
  return { file };
}

/** False: the number is taken. */
function put(folder: string, file: string, me: ProcessIdentity): boolean {
  const whole = join(folder, `new-${process.pid}-${randomBytes(4).toString('hex')}`);
  writeFileSync(whole, JSON.stringify(me), { mode: 0o600 });
  try {
    linkSync(whole, file);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new FaultError(
      `kind: ${folder} cannot be used to take turns (${message}). Set XDG_STATE_HOME to a local folder.`,
    );
  } finally {
    rmSync(whole, { force: true });
  }
}

function giveBack(folder: string, file: string): void {
  const whole = join(folder, `new-${process.pid}-${randomBytes(4).toString('hex')}`);
  writeFileSync(whole, GIVEN_BACK, { mode: 0o600 });
  renameSync(whole, file);
}

/** undefined: given back, or nobody had it. */
function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return processIdentitySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

const highestIn = (folder: string): number => Math.max(0, ...numbersIn(folder));

const numbersIn = (folder: string): number[] =>
  readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
