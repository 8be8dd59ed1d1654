// The runner's side of what files of test/kind take in turn (test/kind-holder.ts holds it): who gets what, and that each file
// leaves it as it was found.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../harness/exec/command.ts';
import { type Program, startProgram } from '../harness/exec/program.ts';
import { messageOf } from '../harness/model/errors.ts';
import { clusterIn, GIVEN_CLUSTER } from './kind-cluster.ts';
import { differences, KindObjects } from './kind-objects.ts';
import { KEPT_STATE } from './kind-state.ts';

/** On a cluster made by hand. `failures` makes its own: it kills the API server. */
export const filesByHand = ['their-cluster', 'their-workload', 'watch', 'witness'];
/** On a cluster that rollproof keeps. The last one takes it down. */
export const filesOnKept = ['entries', 'paths'];

const CREATE_LIMIT_MS = 400_000;
const END_LIMIT_MS = 150_000;
/** For what is on its way out when a file has ended. */
const LEAVING_LIMIT_MS = 90_000;
/** What Kubernetes makes or removes a moment after its cause. */
const LATER_MS = 10_000;

type Standing = Awaited<ReturnType<KindObjects['standing']>>;

export class SharedKind {
  private readonly stateFolder = mkdtempSync(join(tmpdir(), 'rollproof-test-kept-'));
  private readonly holder: Program;
  private creating: Promise<string | undefined> | undefined;
  private answer: (line: string) => void = () => {};
  private objects: KindObjects | undefined;
  private before: Standing | undefined;
  private readonly areByHand: boolean;

  /** `files`: who will take what is lent, in turn. */
  constructor(files: readonly string[]) {
    this.areByHand = files.some((file) => filesByHand.includes(nameOf(file)));
    const program = join(dirname(fileURLToPath(import.meta.url)), 'kind-holder.ts');
    this.holder = startProgram(process.execPath, ['--import', 'tsx', program, this.stateFolder], {
      onLine: (line) => this.answer(line),
    });
    void this.holder.ended.then(({ how }) => this.answer(`failed its holder ${how}`));
  }

  /** Variables for the file's process. A cluster that cannot be made is not given: the file makes its own, or says why not. */
  async lend(file: string): Promise<Readonly<Record<string, string>>> {
    const name = nameOf(file);
    const isByHand = this.areByHand && !process.env[GIVEN_CLUSTER];
    // Beside the making of the kept one, when nothing is measured yet.
    if (isByHand) this.creating ??= this.create();
    if (filesOnKept.includes(name)) return { [KEPT_STATE]: this.stateFolder };
    if (!isByHand || !filesByHand.includes(name)) return {};
    const kubeconfig = await this.creating;
    if (kubeconfig === undefined) return {};
    this.objects ??= new KindObjects(runCommand, `${clusterIn(kubeconfig)}-control-plane`);
    this.before ??= await this.objects.standing();
    return { [GIVEN_CLUSTER]: kubeconfig };
  }

  /** The process of the file that has what is lent; it goes with the runner, however that ends. */
  runs(pid: number | undefined): void {
    this.holder.write(`runs ${pid ?? 'nobody'}`);
  }

  /** What the file left behind or took away, in words; what it left is removed. */
  async takeBack(file: string): Promise<string | undefined> {
    const { objects, before } = this;
    if (!objects || !before || !filesByHand.includes(nameOf(file))) return undefined;
    try {
      const { left, gone } = await settled(objects, before);
      if (left.length + gone.length === 0) return undefined;
      for (const { removal } of left) await objects.remove(removal);
      // What is gone stays gone: it is told of this file alone.
      this.before = await objects.standing();
      return [
        ...(left.length > 0 ? [`left on the cluster: ${left.map(({ what }) => what).join(', ')}`] : []),
        ...(gone.length > 0 ? [`took from the cluster: ${gone.join(', ')}`] : []),
      ].join('; ');
    } catch (error) {
      return `what it left on the cluster could not be told or removed: ${messageOf(error)}`;
    }
  }

  /** Both clusters are gone when it resolves. */
  async end(): Promise<void> {
    await this.holder.stop(undefined, END_LIMIT_MS);
  }

  /** The kubeconfig; undefined: it could not be made. */
  private async create(): Promise<string | undefined> {
    const startedAt = performance.now();
    const answered = new Promise<string>((resolve) => {
      this.answer = resolve;
    });
    this.holder.write('create');
    const late = () => this.answer(`failed not there after ${CREATE_LIMIT_MS / 1000} s`);
    const timer = setTimeout(late, CREATE_LIMIT_MS);
    const line = await answered.finally(() => clearTimeout(timer));
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(`-- one kind cluster for all files that take one: ${line.split(' ', 1)} after ${seconds} s`);
    if (line.startsWith('created ')) return line.slice('created '.length);
    console.log(line);
    return undefined;
  }
}

const nameOf = (file: string): string => basename(file, '.test.ts');

/** When nothing more is on its way out. An API server that has just come back may refuse for a while. */
async function settled(objects: KindObjects, before: Standing): Promise<ReturnType<typeof differences>> {
  const startedAt = performance.now();
  for (;;) {
    const waitedMs = performance.now() - startedAt;
    try {
      const found = differences(before, await objects.standing());
      if (found.left.length + found.gone.length === 0) return found;
      if (waitedMs > (found.left.some(({ leaving }) => leaving) ? LEAVING_LIMIT_MS : LATER_MS)) return found;
    } catch (error) {
      if (waitedMs > LEAVING_LIMIT_MS) throw error;
    }
    await sleep(2000);
  }
}
