// What stands before the first node: a folder for pods, the watchdog, addresses, and, where the system allows it,
// namespaces. Which mode is in force is said in the notes.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmulatorUsageError } from '../errors.ts';
import type { Lifetime } from '../lifetime.ts';
import { type AddressBlock, claimAddresses } from './addresses.ts';
import { mountPoints } from './isolation/container-root.ts';
import { ClusterNetwork } from './isolation/network.ts';
import { findPrograms, type Programs } from './isolation/programs.ts';
import { tryRoot } from './isolation/try-root.ts';
import { environmentOf, processes } from './marked.ts';
import { writePreload } from './pid-one.ts';
import { killGroup, Watchdog } from './watchdog.ts';

/** `auto`: namespaces of their own for pods where the system allows it; `none`: never. */
export type IsolationMode = 'auto' | 'none';

/** What pods have of their own beyond a process group. */
export interface Isolation {
  readonly programs: Programs;
  readonly network: ClusterNetwork;
  /** False: pods have a network of their own and see the machine's file system. */
  readonly roots: boolean;
}

export interface Ground {
  /** Files of pods live below it. */
  readonly folder: string;
  /** The script that makes Node.js behave as PID 1. */
  readonly preload: string;
  readonly watchdog: Watchdog;
  readonly addresses: AddressBlock;
  /** Undefined: pods are processes of this machine and nothing else. */
  readonly isolation: Isolation | undefined;
  readonly notes: readonly string[];
}

const FOLDER_PREFIX = 'rollproof-pods-';

export async function prepareGround(
  mode: IsolationMode,
  nodes: number,
  start: number,
  lifetime: Lifetime,
): Promise<Ground> {
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  lifetime.add(() => rmSync(folder, { recursive: true, force: true }));
  const preload = writePreload(folder);
  const watchdog = new Watchdog([folder]);
  lifetime.add(() => watchdog.close());
  const found =
    mode === 'none' ? 'ROLLPROOF_ISOLATION=none' : await isolate(watchdog, nodes, start, folder, preload);
  if (typeof found !== 'string') {
    lifetime.add(() => found.network.close());
    const files = found.roots
      ? 'and a file system of its own'
      : "and sees this machine's files (volumes are refused)";
    return {
      folder,
      preload,
      watchdog,
      addresses: found.network.addresses,
      isolation: found,
      notes: [
        `pods are isolated: each has a network namespace ${files}. They reach one another and Services, nothing outside the cluster.`,
      ],
    };
  }
  const addresses = await claimAddresses(nodes, start);
  lifetime.add(() => addresses.close());
  return {
    folder,
    preload,
    watchdog,
    addresses,
    isolation: undefined,
    notes: [
      `pods are not isolated (${found}): they are processes of this machine that listen where POD_IP says; volumes are refused.`,
    ],
  };
}

/** What the user wants: the environment decides when no option does. */
export function wantedIsolation(option: IsolationMode | undefined): IsolationMode {
  const said = option ?? process.env.ROLLPROOF_ISOLATION ?? 'auto';
  if (said !== 'auto' && said !== 'none') {
    throw new EmulatorUsageError(`ROLLPROOF_ISOLATION is "${said}". It can be auto or none.`);
  }
  return said;
}

/** Why pods get no network and files of their own here, as far as that shows before anything starts. */
export function noIsolation(option?: IsolationMode): string | undefined {
  if (wantedIsolation(option) === 'none') return 'ROLLPROOF_ISOLATION=none';
  if (process.platform !== 'linux') return 'namespaces are a matter of Linux';
  if (process.geteuid?.() !== 0) return 'it takes root';
  const programs = findPrograms();
  return 'missing' in programs ? `no ${programs.missing.join(', ')} on this machine` : undefined;
}

/** Or why not, in a few words. */
async function isolate(
  watchdog: Watchdog,
  nodes: number,
  start: number,
  folder: string,
  preload: string,
): Promise<Isolation | string> {
  if (process.platform !== 'linux') return 'namespaces are a matter of Linux';
  if (process.geteuid?.() !== 0) return 'it takes root';
  const programs = findPrograms();
  if ('missing' in programs) return `no ${programs.missing.join(', ')} on this machine`;
  try {
    const points = mountPoints();
    const [network, roots] = await Promise.all([
      ClusterNetwork.create({ programs, watchdog, nodes, start }),
      tryRoot(programs, folder, preload, points),
    ]);
    return { programs, network, roots };
  } catch (error) {
    return `the system refuses: ${(error as Error).message.trim().split('\n')[0]}`;
  }
}

/** What a harness left that was killed together with its watchdog: processes of its pods and their folders. */
function sweep(): void {
  for (const name of listed(tmpdir())) {
    const owner = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    for (const pid of processes()) {
      if (environmentOf(pid).includes(`ROLLPROOF_PARENT_PID=${owner}`)) killGroup(Number(pid));
    }
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Somebody else's, or still in use: the next start tries again.
    }
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
