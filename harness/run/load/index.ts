// A load alone, without a cluster: fired from this process, shown while it runs, told at its end.
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Meter } from '../../load/meter.ts';
import { exitCode, FaultError, UsageError } from '../../model/errors.ts';
import type { StreamEnd, StreamPlan } from '../../model/load.ts';
import { LiveLine } from './live-line.ts';
import { jsonOf, tableOf } from './result.ts';
import { Told } from './told.ts';

interface LoadAlone {
  /** As it was asked for. */
  readonly url: string;
  readonly plan: StreamPlan;
  /** Response header that says which pod answered. */
  readonly podHeader: string;
  /** File for the counts as JSON; "-": standard output. */
  readonly json: string | undefined;
}

/** Failures listed one by one; a longer list would not be read, and the totals are exact without it. */
const failuresListed = 10_000;
const collectMs = 200;

/** Fires it and returns the exit code. Throws FaultError where the counts contradict each other. */
export async function loadAlone({ url, plan, podHeader, json }: LoadAlone): Promise<number> {
  if (json !== undefined && json !== '-') refuseUnwritable(json);
  const meter = new Meter({
    plan,
    podHeader,
    failuresLimit: failuresListed,
  });
  const record = new Told();
  const interrupt = new Interrupt(() => meter.abort());
  const live = new LiveLine(meter);
  meter.start();
  const collect = setInterval(() => record.add(meter.drain()), collectMs);
  let end: StreamEnd;
  try {
    end = await meter.ended;
  } finally {
    clearInterval(collect);
    live.end();
    interrupt.end();
  }
  record.add(meter.drain());
  const say = json === '-' ? process.stderr : process.stdout;
  say.write(tableOf(end, record));
  if (json !== undefined) writeJson(json, `${JSON.stringify(jsonOf(url, plan, end, record))}\n`);
  if (interrupt.received) return exitCode.interrupted;
  if (end.brokenIdentities.length > 0) {
    throw new FaultError(
      `load: the counts do not agree with each other: ${end.brokenIdentities.join('; ')}.`,
    );
  }
  return exitCode.ok;
}

/** The first Ctrl-C ends the load in order, the second at once. */
class Interrupt {
  received = false;
  readonly #listener: () => void;

  constructor(stop: () => void) {
    this.#listener = () => {
      if (this.received) process.exit(exitCode.interrupted);
      this.received = true;
      process.stderr.write('\nInterrupted: requests in flight are given up.\n');
      stop();
    };
    process.on('SIGINT', this.#listener);
    process.on('SIGTERM', this.#listener);
  }

  end(): void {
    process.off('SIGINT', this.#listener);
    process.off('SIGTERM', this.#listener);
  }
}

/** Before anything is sent: a load whose counts are lost was for nothing. */
function refuseUnwritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(resolve(file)), constants.W_OK);
    if (existsSync(file) && statSync(file).isDirectory()) throw new Error('it is a folder');
  } catch (error) {
    throw new UsageError(`load: --json: ${file} cannot be written: ${(error as Error).message}.`);
  }
}

function writeJson(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`load: --json: ${file} cannot be written: ${(error as Error).message}.`);
  }
}
