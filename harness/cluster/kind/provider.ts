// The kind provider: brings up a cluster with the kind and docker on the PATH, or uses one of ours again, and leaves
// nothing behind on any way out. Several rollproofs at once get clusters of their own: rollproof, rollproof-2 …
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, type RunCommand, runCommand } from '../../exec/command.ts';
import { identify } from '../../exec/process-identity.ts';
import { removeAbandonedFolders } from '../../exec/temporary-folder.ts';
import { connectKube, type Kube } from '../../kube/client.ts';
import { FaultError, InterruptedError, messageOf, UsageError } from '../../model/errors.ts';
import type { ClusterInfo } from '../../model/journal.ts';
import type { ProxyMode } from '../../model/proxy-mode.ts';
import { describeCluster, nodeStates } from '../describe.ts';
import { packageFile } from '../package-root.ts';
import type { ClusterProvider, CreateOptions, ImageRequest, RunningCluster } from '../provider.ts';
import { setAutoscalerPeriod } from './autoscaler-period.ts';
import { whyNotAvailable } from './availability.ts';
import { clusterConfig } from './cluster-config.ts';
import { nodeContainers, removeCompanions } from './containers.ts';
import { provideImages } from './images.ts';
import { removeLeftovers } from './leftovers.ts';
import { networkId } from './network.ts';
import { chooseNodeImage } from './node-image.ts';
import { startOutsideAgent } from './outside.ts';
import {
  defaultStateFolder,
  newToken,
  Ownership,
  type OwnershipRecord,
  standingOf,
  thisProcess,
} from './ownership.ts';
import { delayProxyOn, type ProxyDelay } from './proxy-delay.ts';
import { guardProxy } from './proxy-mode.ts';
import { clusterReady } from './readiness.ts';
import { removeCluster, sweep } from './removal.ts';
import { readConntrack } from './witness.ts';

export interface KindOptions {
  /** Default "rollproof". */
  readonly name?: string;
  /** The control plane alone: up faster, but steps share a node with the load agent. */
  readonly oneNode?: boolean;
  readonly nodeImage?: string;
  /** Leave the cluster up for the next run. */
  readonly keep?: boolean;
  /** kind's own configuration file; default: kind-config.yaml of this package. */
  readonly configFile?: string;
  /**
   * How often the autoscaler looks. null: Kubernetes' own 15 s. undefined: it does not matter, so a kept cluster is used
   * as it is and a new one has the 15 s.
   */
  readonly autoscalerSyncSeconds?: number | null;
  /** Of kube-proxy; undefined: kind's default, and a kept cluster is used with the one that it has. */
  readonly proxyMode?: ProxyMode | undefined;
}

/** What the provider needs from the outside, so that tests can stand in for it. */
export interface KindSeams {
  readonly run: RunCommand;
  readonly connect: (kubeconfig: string) => Promise<Kube>;
  readonly stateFolder: string;
  /** How long a kept cluster is waited for, ms. */
  readonly reuseLimitMs?: number;
}

const CREATE_LIMIT_MS = 420_000;
const READY_LIMIT_MS = 180_000;
/** For a kept cluster, which has been ready before. */
const REUSE_LIMIT_MS = 60_000;
const LIMIT_MS = 20_000;
const MOST_CLUSTERS = 9;

export function kindProvider(
  options: KindOptions = {},
  seams: KindSeams = { run: runCommand, connect: connectKube, stateFolder: defaultStateFolder() },
): ClusterProvider {
  const ownership = new Ownership(seams.stateFolder);
  const unavailable = () =>
    whyNotAvailable(
      seams.run,
      options.nodeImage,
      ownership.list().some((record) => standingOf(record) === 'kept'),
    );
  return {
    kind: 'kind',
    unavailable,
    async create(createOptions) {
      const problem = await unavailable();
      if (problem) throw new FaultError(problem);
      return new Bringup(options, seams, ownership, createOptions).run();
    },
  };
}

/** One create(), from the sweep to the cluster that is up. */
class Bringup {
  private readonly options: KindOptions;
  private readonly seams: KindSeams;
  private readonly ownership: Ownership;
  private readonly create: CreateOptions;

  constructor(options: KindOptions, seams: KindSeams, ownership: Ownership, create: CreateOptions) {
    this.options = options;
    this.seams = seams;
    this.ownership = ownership;
    this.create = create;
  }

  async run(): Promise<RunningCluster> {
    const { progress, signal } = this.create;
    const config = this.readConfig(newToken());
    removeAbandonedFolders();
    await sweep(this.seams.run, this.ownership, { kept: false, say: progress });
    const { record, existed } = await this.claim(config.nodes, config.token);
    try {
      if (signal.aborted) throw new InterruptedError();
      if (existed) {
        const reused = await this.reuse(record);
        if (reused) return reused;
        progress(`cluster ${record.name}: nodes are missing or stopped; making it anew`);
        await removeCluster(this.seams.run, this.ownership, record);
        // Under its own name again, and kept as it was: whoever kept it wants to find it.
        const fresh = await this.freshRecord(record.name, config.nodes, config.token, record.keep);
        this.ownership.write(fresh);
        return await this.createNew(fresh, config.yaml);
      }
      return await this.createNew(record, config.yaml);
    } catch (error) {
      const cause = signal.aborted ? new InterruptedError() : error;
      await this.undo(record.name, cause);
      throw cause;
    }
  }

  private readConfig(token: string): {
    readonly yaml: string;
    readonly nodes: number;
    readonly token: string;
  } {
    const file = this.options.configFile ?? packageFile('kind-config.yaml');
    if (!existsSync(file)) throw new UsageError(`kind: there is no file ${file}. Name kind's configuration.`);
    const shape = {
      token,
      oneNode: this.options.oneNode ?? false,
      autoscalerSyncSeconds: this.options.autoscalerSyncSeconds ?? null,
      proxyMode: this.options.proxyMode,
    };
    return { ...clusterConfig(readFileSync(file, 'utf8'), file, shape), token };
  }

  /** Takes the first name that nobody uses: a kept cluster that fits, or a new one. */
  private async claim(nodes: number, token: string): Promise<{ record: OwnershipRecord; existed: boolean }> {
    const base = this.options.name ?? 'rollproof';
    return this.ownership.exclusively(async () => {
      const clusters = await this.existingClusters();
      for (let number = 1; number <= MOST_CLUSTERS; number++) {
        const name = number === 1 ? base : `${base}-${number}`;
        const present = this.ownership.read(name);
        if (
          present &&
          standingOf(present) === 'kept' &&
          clusters.includes(name) &&
          this.fits(present, nodes)
        ) {
          const record: OwnershipRecord = { ...present, owner: thisProcess() };
          this.ownership.write(record);
          return { record, existed: true };
        }
        // A kept cluster that was deleted by hand leaves its record, which is free to take.
        const gone = present && standingOf(present) === 'kept' && !clusters.includes(name);
        // A cluster of that name without a record is somebody else's.
        if ((present && !gone) || clusters.includes(name)) continue;
        const fresh = await this.freshRecord(name, nodes, token, this.options.keep ?? false);
        const record = gone ? { ...fresh, networkBefore: present.networkBefore } : fresh;
        this.ownership.write(record);
        return { record, existed: false };
      }
      throw new FaultError(
        `kind: clusters ${base} to ${base}-${MOST_CLUSTERS} are all in use. Remove those that are kept with: rollproof cleanup --all`,
      );
    });
  }

  private fits(record: OwnershipRecord, nodes: number): boolean {
    const { nodeImage, proxyMode } = this.options;
    return (
      record.nodes === nodes &&
      (nodeImage === undefined || record.image === nodeImage) &&
      (proxyMode === undefined || record.proxyMode === proxyMode)
    );
  }

  private async freshRecord(
    name: string,
    nodes: number,
    token: string,
    keep: boolean,
  ): Promise<OwnershipRecord> {
    return {
      schemaVersion: 1,
      name,
      token,
      owner: thisProcess(),
      creator: null,
      state: 'creating',
      keep,
      nodes,
      image: this.options.nodeImage ?? null,
      autoscalerSyncSeconds: this.options.autoscalerSyncSeconds ?? null,
      ...(this.options.proxyMode && { proxyMode: this.options.proxyMode }),
      networkBefore: await networkId(this.seams.run),
      createdAt: new Date().toISOString(),
    };
  }

  private async existingClusters(): Promise<readonly string[]> {
    const { stdout } = await this.seams.run('kind', ['get', 'clusters'], { limitMs: LIMIT_MS });
    return stdout.split('\n').filter(Boolean);
  }

  /**
   * undefined: its nodes are not all there and running, so that it is certain that it cannot be used. Whatever else goes
   * wrong is a FaultError, and the cluster stays: somebody asked to keep it, and it may only be slow.
   */
  private async reuse(record: OwnershipRecord): Promise<RunningCluster | undefined> {
    const { progress, signal } = this.create;
    const { name } = record;
    let kube: Kube | undefined;
    try {
      const containers = await nodeContainers(this.seams.run, name);
      if (containers.length !== record.nodes || containers.some((container) => !container.running))
        return undefined;
      const { stdout: kubeconfig } = await this.seams.run('kind', ['get', 'kubeconfig', '--name', name], {
        limitMs: LIMIT_MS,
        signal,
      });
      kube = await this.seams.connect(kubeconfig);
      progress(`${name}: kept; waiting for its nodes and CoreDNS`);
      await clusterReady(kube, record.nodes, this.seams.reuseLimitMs ?? REUSE_LIMIT_MS, signal);
      await removeCompanions(this.seams.run, record.token);
      await removeLeftovers(kube, progress, signal);
      const current = await this.withAutoscalerPeriod(record, kube);
      const info = await this.describe(current, kube);
      progress(`using cluster ${name} again`);
      return this.running(current, kubeconfig, info, true);
    } catch (error) {
      if (signal.aborted || error instanceof InterruptedError) throw error;
      throw new FaultError(
        `kind: cluster ${name} is kept, but cannot be used: ${messageOf(error)}\nIt was left as it is. Look at it with: docker ps --all --filter label=io.x-k8s.kind.cluster=${name}; or remove it with: rollproof cleanup --all`,
        { cause: error },
      );
    } finally {
      kube?.close();
    }
  }

  private async withAutoscalerPeriod(record: OwnershipRecord, kube: Kube): Promise<OwnershipRecord> {
    const { autoscalerSyncSeconds: wanted } = this.options;
    if (wanted === undefined || wanted === record.autoscalerSyncSeconds) return record;
    this.create.progress(`${record.name}: changing how often the autoscaler looks`);
    const node = (await nodeStates(kube)).find(({ role }) => role === 'control-plane')?.name ?? '';
    const current = { ...record, autoscalerSyncSeconds: wanted };
    // Before the change: an interrupt after it must not leave a record that is wrong.
    this.ownership.write(current);
    await setAutoscalerPeriod(this.seams.run, kube, node, wanted, this.create.signal);
    return current;
  }

  private async createNew(record: OwnershipRecord, config: string): Promise<RunningCluster> {
    const { run } = this.seams;
    const { name } = record;
    const guard = guardProxy(run, `${name}-control-plane`, record.proxyMode, this.create.signal);
    try {
      return await this.bringUp(record, config, guard.signal);
    } catch (error) {
      throw guard.failure() ?? error;
    } finally {
      guard.stop();
    }
  }

  private async bringUp(
    record: OwnershipRecord,
    config: string,
    signal: AbortSignal,
  ): Promise<RunningCluster> {
    const { run, connect } = this.seams;
    const { progress } = this.create;
    const { name } = record;
    const image = await chooseNodeImage(run, this.options.nodeImage);
    const folder = this.ownership.folderOf(name);
    const configFile = join(folder, 'kind-config.yaml');
    const kubeconfigFile = join(folder, 'kubeconfig');
    writeFileSync(configFile, config);
    progress(`creating cluster ${name} (${record.nodes} ${record.nodes === 1 ? 'node' : 'nodes'})`);
    const args = [
      'create',
      'cluster',
      '--name',
      name,
      '--config',
      configFile,
      '--kubeconfig',
      kubeconfigFile,
    ];
    try {
      await run('kind', image.name ? [...args, '--image', image.name] : args, {
        limitMs: CREATE_LIMIT_MS,
        signal,
        onStart: (pid) => this.ownership.update(name, { creator: identify(pid) ?? null }),
        onLine: (line) => {
          // " • Preparing nodes 📦 📦  ..." without its ornaments.
          const doing = /^ • ([ -~]+)/.exec(line)?.[1]?.trim();
          if (doing) progress(`${name}: ${doing.toLowerCase()}`);
        },
      });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new FaultError(`kind: cluster ${name} did not come up.\n${error.message}`, { cause: error });
    }
    this.ownership.update(name, { creator: null });
    const kubeconfig = readFileSync(kubeconfigFile, 'utf8');
    const kube = await connect(kubeconfig);
    try {
      progress(`${name}: waiting for nodes and CoreDNS`);
      await clusterReady(kube, record.nodes, READY_LIMIT_MS, signal);
      const info = await this.describe(record, kube);
      this.ownership.update(name, { state: 'up', image: image.name ?? null });
      return this.running(record, kubeconfig, info, false);
    } finally {
      kube.close();
    }
  }

  private async describe(record: OwnershipRecord, kube: Kube): Promise<ClusterInfo> {
    const described = await describeCluster(kube);
    const controlPlane = described.nodes.find((node) => node.role === 'control-plane');
    const seconds = record.autoscalerSyncSeconds;
    const notes = [...described.notes];
    if (seconds !== null) {
      notes.push(
        `The autoscaler looks every ${seconds} s (horizontal-pod-autoscaler-sync-period; the default is 15 s).`,
      );
    }
    if (record.nodes === 1) notes.push('One node: the load agent shares it with the target.');
    return {
      ...described,
      name: record.name,
      kind: 'kind',
      emulated: false,
      ...(controlPlane && { agentNode: controlPlane.name }),
      notes,
    };
  }

  private running(
    record: OwnershipRecord,
    kubeconfig: string,
    info: ClusterInfo,
    existed: boolean,
  ): RunningCluster {
    const { run, connect } = this.seams;
    const { ownership } = this;
    const { name } = record;
    const stays = existed || record.keep || (this.options.keep ?? false);
    let proxyDelay: ProxyDelay | undefined;
    let destroyed: Promise<void> | undefined;
    const restore = async () => {
      const delayed = proxyDelay;
      proxyDelay = undefined;
      await delayed?.end();
    };
    // What it held back has been told, or is of no interest: the cluster goes on, or goes.
    const letGo = () => restore().catch(() => {});
    const destroy = () => {
      destroyed ??= (async () => {
        await letGo();
        const current = ownership.read(name);
        if (current?.token === record.token) await removeCluster(run, ownership, current);
      })();
      return destroyed;
    };
    return {
      info,
      stays,
      kubeconfig: () => kubeconfig,
      provideImages: (images: readonly ImageRequest[], options: CreateOptions) =>
        provideImages(
          run,
          { cluster: name, nodes: info.nodes.map((node) => node.name), folder: ownership.folderOf(name) },
          images,
          options,
        ),
      async delayProxy(delayMs) {
        await restore();
        const node = info.agentNode ?? info.nodes[0]?.name;
        if (delayMs > 0 && node) proxyDelay = await delayProxyOn(node, delayMs, await connect(kubeconfig));
      },
      witness: (node, request) => readConntrack(node, request),
      outsideAgent: (program) => startOutsideAgent(program, record.token),
      destroy,
      async [Symbol.asyncDispose]() {
        if (destroyed || !stays) return destroy();
        await letGo();
        // Nobody's from now on, until the next run claims it.
        ownership.update(name, { owner: null, keep: true, state: 'up' });
      },
    };
  }

  /** Nothing is left behind when create() fails; what cannot be removed is added to the error. */
  private async undo(name: string, cause: unknown): Promise<void> {
    const record = this.ownership.read(name);
    if (!record) return;
    if (record.state === 'up' && record.keep) {
      // A kept cluster that was about to be used again stays as it was found.
      this.ownership.write({ ...record, owner: null });
      return;
    }
    try {
      await removeCluster(this.seams.run, this.ownership, record);
    } catch (error) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FaultError(`${reason}\nRemoving what was made failed, too: ${(error as Error).message}`, {
        cause,
      });
    }
  }
}
