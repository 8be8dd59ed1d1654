// The network of one cluster: a namespace that routes (the "router") and one per pod, joined by veth pairs, as a node
// with a routed network plugin has them. Nothing of the machine's own network is changed but one link and one route to
// the cluster's addresses, and both go with the router. An address that no pod has leads nowhere: packets are dropped.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmulatorError } from '../../errors.ts';
import { type AddressBlock, addressBlock } from '../addresses.ts';
import type { Watchdog } from '../watchdog.ts';
import type { Programs } from './programs.ts';
import { NamespaceShell } from './shell.ts';

const run = promisify(execFile);

/** Where pods send everything: the same link-local address on every veth of the router. */
const GATEWAY = '169.254.1.1';
/** Last octets within 10.N.0: the router itself, its end of the link to the machine, the machine's end. */
const ROUTER = 1;
const ROUTER_END = 2;
const MACHINE_END = 3;
const PROGRAM_LIMIT_MS = 10_000;

interface NetworkOptions {
  readonly programs: Programs;
  readonly watchdog: Watchdog;
  readonly nodes: number;
  /** 0 to below 1: where to begin to look for free addresses. */
  readonly start: number;
}

/** The network of a pod, or of a node for pods with hostNetwork. */
export interface PodNetwork {
  readonly address: string;
  /** What a command begins with to run in it. */
  readonly enter: readonly string[];
  /** Takes its address away: from here on it hangs for everybody. */
  down(): Promise<void>;
  close(): void;
}

export class ClusterNetwork {
  readonly addresses: AddressBlock;
  readonly routerAddress: string;
  readonly machineAddress: string;
  private readonly options: NetworkOptions;
  private readonly router: NamespaceShell;
  private readonly link: string;
  private links = 0;
  private readonly pods = new Set<NamespaceShell>();
  private readonly nodeNetworks = new Map<number, Promise<PodNetwork>>();
  /** Rules that wait for the one before them to be in the kernel. */
  private rules = '';
  private applying: Promise<void> | undefined;
  private closed = false;

  private constructor(options: NetworkOptions, router: NamespaceShell, prefix: string, link: string) {
    this.options = options;
    this.router = router;
    this.link = link;
    this.addresses = addressBlock(prefix, options.nodes, true);
    this.routerAddress = `${prefix}.0.${ROUTER}`;
    this.machineAddress = `${prefix}.0.${MACHINE_END}`;
  }

  /** Throws EmulatorError with the system's words where it is not allowed. */
  static async create(options: NetworkOptions): Promise<ClusterNetwork> {
    const { programs, watchdog, nodes } = options;
    const router = new NamespaceShell([programs.unshare, '--net', '--', programs.sh]);
    watchdog.add(router.pid);
    try {
      const [taken] = await Promise.all([
        takenPrefixes(programs),
        router.run(
          'a network namespace',
          `echo 1 > /proc/sys/net/ipv4/ip_forward && ${programs.ip} link set lo up`,
        ),
      ]);
      const candidates = prefixes(options.start).filter((prefix) => !taken(prefix));
      for (const prefix of candidates.slice(0, 20)) {
        const link = `rollproof${prefix.split('.')[1]}`;
        try {
          await onMachine(programs, [
            `link add ${link} type veth peer name machine netns ${router.pid}`,
            `addr add ${prefix}.0.${MACHINE_END}/31 dev ${link}`,
            `link set ${link} up`,
            `route add ${prefix}.0.0/16 via ${prefix}.0.${ROUTER_END} dev ${link}`,
          ]);
        } catch (error) {
          // Another cluster has these addresses.
          if (/exists/i.test(String((error as { stderr?: string }).stderr))) continue;
          throw error;
        }
        const network = new ClusterNetwork(options, router, prefix, link);
        await network.connect(prefix, nodes);
        return network;
      }
      throw new EmulatorError('no free block of addresses (10.16.0.0/16 to 10.254.0.0/16).');
    } catch (error) {
      router.kill();
      watchdog.remove(router.pid);
      throw error;
    }
  }

  /** What a command begins with to run in the router's network. */
  get enterRouter(): readonly string[] {
    return [this.options.programs.nsenter, `--net=/proc/${this.router.pid}/ns/net`, '--'];
  }

  /** A network of its own for a pod, with its name as host name. */
  async addPod(address: string, hostname: string): Promise<PodNetwork> {
    const { programs, watchdog } = this.options;
    const { ip } = programs;
    const shell = new NamespaceShell([programs.unshare, '--net', '--uts', '--', programs.sh]);
    watchdog.add(shell.pid);
    this.pods.add(shell);
    const link = `pod${++this.links}`;
    try {
      await shell.run('the network of a pod', `echo ${quoted(hostname)} > /proc/sys/kernel/hostname`);
      await this.router.run(
        'the network of a pod',
        batch(ip, [
          `link add ${link} type veth peer name eth0 netns ${shell.pid}`,
          `addr add ${GATEWAY}/32 dev ${link}`,
          `link set ${link} up`,
          `route add ${address}/32 dev ${link}`,
        ]),
      );
      await shell.run(
        'the network of a pod',
        batch(ip, [
          'link set lo up',
          `addr add ${address}/32 dev eth0`,
          'link set eth0 up',
          `route add ${GATEWAY} dev eth0 scope link`,
          `route add default via ${GATEWAY} dev eth0`,
        ]),
      );
    } catch (error) {
      this.drop(shell);
      throw error;
    }
    return {
      address,
      enter: [programs.nsenter, `--net=/proc/${shell.pid}/ns/net`, `--uts=/proc/${shell.pid}/ns/uts`, '--'],
      down: () => this.router.run('the end of a pod', `${ip} link del ${link}`),
      close: () => this.drop(shell),
    };
  }

  /** The network of a node, made when its first pod with hostNetwork comes; it stays. */
  nodeNetwork(node: number, name: string): Promise<PodNetwork> {
    const made = this.nodeNetworks.get(node) ?? this.makeNode(node, name);
    this.nodeNetworks.set(node, made);
    return made;
  }

  /** Rules of netfilter for the router (nft -f). Several at once go in together; failures are the caller's. */
  apply(rules: string): Promise<void> {
    this.rules += rules;
    this.applying ??= (async () => {
      while (this.rules) {
        const next = this.rules;
        this.rules = '';
        if (this.closed) return;
        const code = `${this.options.programs.nft} -f - <<'RULES'\n${next}\nRULES`;
        await this.router.run('routing rules', code).catch((error: unknown) => {
          // The end of the cluster is no failure of the rules.
          if (!this.closed) throw error;
        });
      }
    })().finally(() => {
      this.applying = undefined;
    });
    return this.applying;
  }

  /** Everything goes with its last process: links, addresses, rules. */
  async close(): Promise<void> {
    this.closed = true;
    for (const shell of this.pods) this.drop(shell);
    // The kernel takes a namespace away a while after its last process; the machine's link should be gone now.
    await run(this.options.programs.ip, ['link', 'del', this.link], { timeout: PROGRAM_LIMIT_MS }).catch(
      () => {},
    );
    this.router.kill();
    this.options.watchdog.remove(this.router.pid);
  }

  private async connect(prefix: string, nodes: number): Promise<void> {
    const { ip } = this.options.programs;
    await this.router.run(
      'the cluster network',
      batch(ip, [
        `addr add ${this.routerAddress}/32 dev lo`,
        ...Array.from(
          { length: nodes },
          (_, node) => `addr add ${this.addresses.nodeAddress(node)}/32 dev lo`,
        ),
        `addr add ${prefix}.0.${ROUTER_END}/31 dev machine`,
        'link set machine up',
        // Silently: what no pod has neither answers nor refuses.
        `route add blackhole ${prefix}.0.0/16`,
      ]),
    );
  }

  private async makeNode(node: number, name: string): Promise<PodNetwork> {
    const address = this.addresses.nodeAddress(node);
    // Until now the router itself answered (and refused) for this address.
    await this.router.run(
      'the network of a node',
      `${this.options.programs.ip} addr del ${address}/32 dev lo`,
    );
    const made = await this.addPod(address, name);
    return { ...made, down: async () => {}, close: () => {} };
  }

  private drop(shell: NamespaceShell): void {
    this.pods.delete(shell);
    shell.kill();
    this.options.watchdog.remove(shell.pid);
  }
}

/** As root of this machine's own network. */
const onMachine = (programs: Programs, lines: readonly string[]) =>
  run(programs.sh, ['-c', batch(programs.ip, lines)], { timeout: PROGRAM_LIMIT_MS });

const batch = (ip: string, lines: readonly string[]): string =>
  `${ip} -batch - <<'LINES'\n${lines.join('\n')}\nLINES`;

const quoted = (text: string): string => `'${text.replaceAll("'", '')}'`;

/** 10.16 to 10.254 from `start` on, then the block that is set aside for tests of networks (RFC 2544). */
function prefixes(start: number): string[] {
  const count = 254 - 16 + 1;
  const offset = Math.floor(start * count);
  return [
    ...Array.from({ length: count }, (_, index) => `10.${16 + ((offset + index) % count)}`),
    '198.18',
    '198.19',
  ];
}

/** Whether a /16 overlaps with anything that this machine has a route to; the default route apart. */
async function takenPrefixes(programs: Programs): Promise<(prefix: string) => boolean> {
  const { stdout } = await run(programs.ip, ['-4', 'route', 'show', 'table', 'all'], {
    timeout: PROGRAM_LIMIT_MS,
  });
  const routes = [...stdout.matchAll(/^(?:\w+ )?(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?/gm)].map(
    ([, address = '', bits = '32']) => ({ address: numberOf(address), bits: Number(bits) }),
  );
  return (prefix) => {
    const own = numberOf(`${prefix}.0.0`);
    return routes.some(({ address, bits }) => {
      const mask = bits === 0 ? 0 : (-1 << (32 - Math.min(bits, 16))) >>> 0;
      return bits > 0 && (own & mask) >>> 0 === (address & mask) >>> 0;
    });
  };
}

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, octet) => ((sum << 8) | Number(octet)) >>> 0, 0);
