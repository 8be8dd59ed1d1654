// `rollproof rbac`: prints the least rights that a run on a cluster of somebody's needs, as YAML for kubectl.
import type { Command } from 'commander';
import { scenarios } from '../../scenarios/index.ts';
import { rbacText, watchRbacText } from '../cluster/context/rbac-text.ts';
import { UsageError } from '../model/errors.ts';
import { witnessWanted } from '../run/images.ts';
import { configured, namespaceName } from './flags.ts';
import { summaries } from './summaries.ts';
import { configuredTarget, liveKinds } from './target.ts';

interface RbacFlags {
  readonly config?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly accountNamespace: string;
  readonly watch?: boolean;
  readonly agentNamespace?: string;
  readonly witness?: boolean;
  readonly witnessImage?: string;
}

export function registerRbac(program: Command): void {
  program
    .command('rbac')
    .description(summaries.rbac)
    .option(
      '--namespace <name>',
      'everything happens in this one, which exists: a Role, no ClusterRole',
      namespaceName,
    )
    .option('--config <file>', 'configuration whose target counts (default: rollproof.yaml when it is there)')
    .option('--name <name>', 'of the ServiceAccount and its role', namespaceName, 'rollproof')
    .option(
      '--account-namespace <name>',
      'where the ServiceAccount is, without --namespace',
      namespaceName,
      'default',
    )
    .option('--watch', 'what `watch` needs instead, in the namespace of the Services')
    .option('--agent-namespace <name>', 'with --watch: where the load agent runs', namespaceName)
    .option('--witness', 'with --watch: connection tracking is to be read, too')
    .option('--witness-image <image>', 'with --witness: by this image, so kube-proxy’s is not looked up')
    .action(async (flags: RbacFlags) => {
      process.stdout.write(await rbacFor(flags));
    });
}

async function rbacFor(flags: RbacFlags): Promise<string> {
  if (flags.watch) {
    const { namespace } = flags;
    if (namespace === undefined)
      throw new UsageError('--watch: name the namespace of the Services with --namespace.');
    const { agent } = configurationOf(flags).configuration;
    return watchRbacText(
      { namespace, agentNamespace: flags.agentNamespace ?? namespace, witness: witnessWanted(agent) },
      flags.name,
    );
  }
  if (flags.agentNamespace !== undefined) throw new UsageError('--agent-namespace: it goes with --watch.');
  if (flags.witness || flags.witnessImage !== undefined)
    throw new UsageError(
      '--witness, --witness-image: they go with --watch; `verify` needs no more rights for it.',
    );
  const loaded = configurationOf(flags);
  const { configuration } = loaded;
  const live = configuration.target?.from === 'cluster';
  return rbacText(
    {
      namespace: configuration.cluster.namespace,
      kinds: live ? await liveKinds(loaded) : (await configuredTarget(loaded, false))?.manifests,
      copiesSecret: configuration.agent.pullSecret !== undefined,
    },
    flags,
  );
}

const configurationOf = ({ config, namespace, watch, witness, witnessImage }: RbacFlags) =>
  configured(
    {
      ...(config !== undefined && { config }),
      // Of `watch` it is that of the Services, not the one to run in.
      ...(namespace !== undefined && !watch && { namespace }),
      ...(witness !== undefined && { witness }),
      ...(witnessImage !== undefined && { witnessImage }),
    },
    scenarios.map(({ id }) => id),
  );
