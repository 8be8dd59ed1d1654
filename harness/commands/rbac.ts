// `rollproof rbac`: prints the least rights that a run on a cluster of somebody's needs, as YAML for kubectl.
import type { Command } from 'commander';
import { scenarios } from '../../scenarios/index.ts';
import { rbacText } from '../cluster/context/rbac-text.ts';
import { configured, namespaceName } from './flags.ts';
import { configuredTarget } from './target.ts';

interface RbacFlags {
  readonly config?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly accountNamespace: string;
}

export function registerRbac(program: Command): void {
  program
    .command('rbac')
    .description('print the least rights that `verify --cluster context` needs, as YAML for kubectl apply')
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
    .action(async (flags: RbacFlags) => {
      process.stdout.write(await rbacFor(flags));
    });
}

async function rbacFor(flags: RbacFlags): Promise<string> {
  const loaded = configured(
    flags,
    scenarios.map(({ id }) => id),
  );
  const { configuration } = loaded;
  const target = await configuredTarget(loaded, false);
  return rbacText(
    {
      namespace: configuration.cluster.namespace,
      kinds: target?.manifests,
      copiesSecret: configuration.agent.pullSecret !== undefined,
    },
    flags,
  );
}
