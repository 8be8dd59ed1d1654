// A Docker and a kind that exist only in memory, behind the one seam through which both are run.
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CommandError, type CommandOptions, commandLine, type RunCommand } from '../harness/exec/command.ts';
import { InterruptedError } from '../harness/model/errors.ts';

interface FakeContainer {
  readonly cluster: string;
  readonly mounts: readonly string[];
  running: boolean;
}

/** What a command answers instead: an exit code with words, a lack, or something that happens first. */
export type Trouble = (args: readonly string[], options: CommandOptions) => void | Promise<void>;

export class FakeDocker {
  readonly containers = new Map<string, FakeContainer>();
  network: string | null = null;
  /** Containers beside the nodes: name to the token on them. */
  readonly companions = new Map<string, string>();
  /** Local images by name: id and the labels that they were built with. */
  readonly images = new Map<string, { id: string; labels: Record<string, string> }>();
  /** Images on each node: name to id. */
  readonly onNodes = new Map<string, Map<string, string>>();
  readonly ran: string[] = [];
  /** kube-proxy's log on every node, and whether it runs, as the node is asked for it. */
  proxyLog = 'kube-proxy-runs\n';
  /** Keyed by the beginning of the command line. */
  readonly troubles = new Map<string, Trouble>();
  private made = 0;

  readonly run: RunCommand = async (file, args, options) => {
    const line = commandLine(file, args);
    this.ran.push(line);
    if (options.signal?.aborted) throw new InterruptedError();
    for (const [start, trouble] of this.troubles) if (line.startsWith(start)) await trouble(args, options);
    return { stdout: this.answer(file, [...args]), stderr: '' };
  };

  nodesOf(cluster: string): string[] {
    return [...this.containers].filter(([, one]) => one.cluster === cluster).map(([name]) => name);
  }

  addCluster(cluster: string, nodes: number, mounts: readonly string[]): void {
    for (let index = 0; index < nodes; index++) {
      const name = index === 0 ? `${cluster}-control-plane` : `${cluster}-worker${index === 1 ? '' : index}`;
      this.containers.set(name, { cluster, mounts, running: true });
      this.onNodes.set(name, new Map());
    }
    this.network ??= `network-${++this.made}`;
  }

  private answer(file: string, args: string[]): string {
    const line = [file, ...args].join(' ');
    const after = (flag: string) => args[args.indexOf(flag) + 1] ?? '';
    if (line.startsWith('docker version')) return '28.0.0\n';
    if (line.startsWith('kind version')) return 'kind v0.30.0\n';
    if (line.startsWith('docker image ls')) return [...this.images.keys()].map(listed).join('');
    if (line.startsWith('docker image inspect')) return this.inspectImage(file, args, after('--format'));
    if (line.startsWith('docker push')) return '';
    if (line.startsWith('docker rm')) return this.removeCompanions(args);
    if (line.startsWith('docker build')) return this.build(args, after('--tag'), after('--label'));
    if (line.startsWith('docker network ls')) return this.network ? `${this.network}\n` : '';
    if (line.startsWith('docker network rm')) return this.removeNetwork();
    if (line.startsWith('docker ps')) return this.listContainers(after('--filter'));
    if (line.startsWith('docker inspect')) return this.inspectContainers(args.slice(3));
    if (line.startsWith('docker exec') && line.includes('/kube-proxy/')) return this.proxyLog;
    if (line.startsWith('docker exec')) return this.imagesOnNode(args[1] ?? '');
    if (line.startsWith('kind get clusters'))
      return [...new Set([...this.containers.values()].map((one) => `${one.cluster}\n`))].join('');
    if (line.startsWith('kind get kubeconfig')) return `kubeconfig of ${after('--name')}`;
    if (line.startsWith('kind create cluster'))
      return this.create(after('--name'), after('--config'), after('--kubeconfig'));
    if (line.startsWith('kind delete cluster')) return this.remove(after('--name'));
    if (line.startsWith('kind load docker-image')) return this.load(args, after('--nodes'));
    throw new Error(`the fake knows no "${line}"`);
  }

  private create(cluster: string, configFile: string, kubeconfigFile: string): string {
    const config = parse(readFileSync(configFile, 'utf8')) as {
      nodes: { extraMounts: { containerPath: string }[] }[];
    };
    const mounts = config.nodes[0]?.extraMounts.map((mount) => mount.containerPath) ?? [];
    this.addCluster(cluster, config.nodes.length, mounts);
    writeFileSync(kubeconfigFile, `kubeconfig of ${cluster}`);
    return '';
  }

  private remove(cluster: string): string {
    for (const name of this.nodesOf(cluster)) this.containers.delete(name);
    return '';
  }

  private listContainers(filter: string): string {
    const [, name, value] = /^(?:label=)?([^=]+)=(.*)$/.exec(filter) ?? [];
    const companions = [...this.companions].filter(([, token]) => name === 'network' || token === value);
    const nodes = name === 'network' ? [...this.containers.keys()] : [];
    if (name === 'io.x-k8s.kind.cluster') nodes.push(...this.nodesOf(value ?? ''));
    return [...nodes, ...companions.map(([one]) => one)].map((one) => `${one}\n`).join('');
  }

  private removeCompanions(args: string[]): string {
    for (const name of args) this.companions.delete(name);
    return '';
  }

  private inspectContainers(names: string[]): string {
    return JSON.stringify(
      names.map((name) => {
        const container = this.containers.get(name);
        return {
          Name: `/${name}`,
          State: { Running: container?.running },
          HostConfig: { Binds: container?.mounts.map((mount) => `/dev/null:${mount}:ro`) },
        };
      }),
    );
  }

  private removeNetwork(): string {
    this.network = null;
    return '';
  }

  private inspectImage(file: string, args: string[], format: string): string {
    const image = this.images.get(args.at(-1) ?? '');
    if (!image) throw new CommandError(commandLine(file, args), 1, 0, `Error: No such image: ${args.at(-1)}`);
    const label = /index \.Config\.Labels "(.*)"/.exec(format)?.[1];
    return `${label ? (image.labels[label] ?? '') : image.id}\n`;
  }

  private build(args: string[], tag: string, label: string): string {
    const [name = '', value = ''] = label.split('=');
    const dockerfile = readFileSync(`${args.at(-1)}/Dockerfile`, 'utf8');
    const id = `sha256:${Buffer.from(tag + dockerfile)
      .toString('hex')
      .slice(-40)}`;
    this.images.set(tag, { id, labels: { [name]: value } });
    return `${id}\n`;
  }

  private imagesOnNode(node: string): string {
    const rows = [...(this.onNodes.get(node) ?? [])].flatMap(([name, id]) => [
      `${name} application/x ${id.replace(':', ':manifest-')} 1 MiB linux/amd64 -`,
      `${id} application/x ${id.replace(':', ':manifest-')} 1 MiB linux/amd64 -`,
    ]);
    return ['REF TYPE DIGEST SIZE PLATFORMS LABELS', ...rows].join('\n');
  }

  private load(args: string[], nodes: string): string {
    const names = args.slice(2, args.indexOf('--name'));
    for (const node of nodes.split(',')) {
      for (const name of names)
        this.onNodes.get(node)?.set(`docker.io/${name}`, this.images.get(name)?.id ?? '');
    }
    return '';
  }
}

const listed = (image: string): string => {
  const [repository, tag] = image.split(':');
  return `${repository} ${tag} <none>\n`;
};

/** A command that ends like this. */
export function fails(end: number | 'not-found' | 'timeout', words = ''): Trouble {
  return (args, { limitMs }) => {
    throw new CommandError(commandLine('command', args), end, limitMs, words);
  };
}
