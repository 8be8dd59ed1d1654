// Whose cluster is it? A folder per cluster, written before the cluster is made, says which process owns it and with
// which token; the same token is on every node container. Only what both name is ever deleted.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  processIdentitySchema,
} from '../../exec/process-identity.ts';
import { FaultError } from '../../model/errors.ts';
import { proxyModes } from '../../model/proxy-mode.ts';
import { withLock } from './lock.ts';

export const ownershipRecordSchema = z.object({
  schemaVersion: z.literal(1),
  name: z.string(),
  token: z.string(),
  /** The process that creates, uses or deletes it; null: nobody does. */
  owner: processIdentitySchema.nullable(),
  /** The `kind create` that was started; it outlives its parent's kill -9. */
  creator: processIdentitySchema.nullable(),
  state: z.enum(['creating', 'up', 'deleting']),
  /** It was asked to be kept, so the next run uses it again instead of sweeping it away. */
  keep: z.boolean(),
  nodes: z.number().int(),
  image: z.string().nullable(),
  autoscalerSyncSeconds: z.number().nullable(),
  /** The mode of kube-proxy that was asked for; undefined: none was. */
  proxyMode: z.enum(proxyModes).optional(),
  /** Docker network "kind" before the creation; null: there was none, so it goes with the last cluster. */
  networkBefore: z.string().nullable(),
  createdAt: z.string(),
});
export type OwnershipRecord = z.infer<typeof ownershipRecordSchema>;

export type Standing = 'in use' | 'kept' | 'abandoned';

/** `abandoned`: its process is gone and nobody asked to keep it. */
export function standingOf(record: OwnershipRecord, alive = isAlive): Standing {
  if (record.owner && alive(record.owner)) return 'in use';
  return record.keep && record.state === 'up' ? 'kept' : 'abandoned';
}

export function defaultStateFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'rollproof');
}

export const newToken = (): string => randomBytes(8).toString('hex');

/** Whoever is in asks Docker and kind a few times, each with a limit of 20 s. */
const LOCK_LIMIT_MS = 120_000;

export class Ownership {
  readonly folder: string;
  private readonly clusters: string;

  constructor(folder: string) {
    this.folder = folder;
    this.clusters = join(folder, 'clusters');
  }

  /** Where a cluster's files lie: owner.json, kubeconfig, kind's configuration. */
  folderOf(name: string): string {
    return join(this.clusters, name);
  }

  /** All records by name. A folder without a readable record is not listed. */
  list(): readonly OwnershipRecord[] {
    return namesIn(this.clusters).flatMap((name) => this.read(name) ?? []);
  }

  read(name: string): OwnershipRecord | undefined {
    try {
      return ownershipRecordSchema.parse(JSON.parse(readFileSync(this.fileOf(name), 'utf8')));
    } catch {
      return undefined;
    }
  }

  write(record: OwnershipRecord): void {
    mkdirSync(this.folderOf(record.name), { recursive: true });
    const file = this.fileOf(record.name);
    // Never half a record, whenever we are killed.
    writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  update(name: string, change: Partial<OwnershipRecord>): void {
    const record = this.read(name);
    if (record) this.write({ ...record, ...change });
  }

  remove(name: string): void {
    rmSync(this.folderOf(name), { recursive: true, force: true });
  }

  /**
   * Runs a short critical section that no other rollproof process is in: looking at records and claiming one of them.
   * Throws FaultError when it is held for too long.
   */
  async exclusively<T>(body: () => T | Promise<T>): Promise<T> {
    try {
      mkdirSync(this.clusters, { recursive: true });
    } catch (error) {
      throw new FaultError(
        `kind: ${this.clusters} cannot be made (${(error as Error).message}). Whose clusters are ours is written there; set XDG_STATE_HOME to a folder that can be written.`,
      );
    }
    return withLock(join(this.folder, 'turns'), thisProcess(), LOCK_LIMIT_MS, body);
  }

  private fileOf(name: string): string {
    return join(this.folderOf(name), 'owner.json');
  }
}

export function thisProcess(): ProcessIdentity {
  const identity = identify(process.pid);
  if (!identity) throw new FaultError("kind: cannot read this process's start time.");
  return identity;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch {
    return [];
  }
}
