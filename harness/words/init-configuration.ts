// The rollproof.yaml that `rollproof init` writes: what was found, with comments that say where it came from.
import { stringify } from 'yaml';
import type { FoundTarget } from '../model/found-target.ts';

export type InitSource =
  | { readonly is: 'manifests'; readonly fields: { readonly manifests: string[] } }
  | { readonly is: 'kustomize'; readonly fields: { readonly kustomize: string } }
  | {
      readonly is: 'helm';
      readonly fields: { readonly helm: { readonly chart: string; readonly values?: string[] } };
    }
  | { readonly is: 'cluster'; readonly fields: { readonly from: 'cluster'; readonly namespace?: string } };

const fieldOf: Readonly<Record<string, string>> = {
  Deployment: 'deployment',
  StatefulSet: 'statefulSet',
  DaemonSet: 'daemonSet',
  Rollout: 'rollout',
};

export function configurationText({ fields }: InitSource, found: FoundTarget): string {
  const value = (of: unknown) => stringify(of, { collectionStyle: 'flow', lineWidth: 0 }).trim();
  const lines = [
    '# Written by `rollproof init`. Every field: docs/configuration.md.',
    'target:',
    ...stringify(fields, { lineWidth: 0 })
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
    `  ${fieldOf[found.kind]}: ${value(found.name)}`,
    found.service === undefined
      ? '  # service: NAME                # no Service was found that selects the pods'
      : `  service: ${value(found.service)}`,
    ...(found.port === undefined ? [] : [`  port: ${value(found.port)}`]),
    ...(found.speaks?.protocol === 'grpc' ? [] : [pathOf(found)]),
    ...(found.container === undefined ? [] : [`  container: ${value(found.container)}`]),
    `  # images: {next: ${value(found.image ?? 'IMAGE')}}   # another tag, for scenario image-change`,
    '',
    '# What happens to the pods under load; `rollproof list` shows more. image-change needs target.images.next.',
    'scenarios: [restart]',
    '',
    'load:',
    '  rate: 50                       # requests per second and lane',
    ...lanesOf(found),
    '',
    '# What a run must not exceed; exit code 1 when it does.',
    'gate:',
    '  maxLost: {new: 0, kept: 0}',
    '',
    ...(found.kind === 'Rollout'
      ? ['# Where the controller of Argo Rollouts is.', 'cluster: {kind: context}', '']
      : []),
    '# For the embedded cluster, which runs no containers: the local command that stands for each image.',
    '# images:',
    ...found.images.map((image) => `#   ${value(image)}: {command: [node, server.js]}`),
    ...(found.missing.length > 0
      ? ['', '# Not found:', ...found.missing.map((sentence) => `#   ${sentence}`)]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

const pathOf = ({ path }: FoundTarget): string =>
  path === undefined
    ? '  path: /                        # no readiness probe says one: a path that answers 200'
    : `  path: ${stringify(path, { lineWidth: 0 }).trim()}                # of the readiness probe; better one that your users ask`;

const lanesOf = ({ speaks }: FoundTarget): string[] => {
  if (!speaks) return [];
  const { protocol, because } = speaks;
  const spoken = protocol === 'tls' ? 'tls: {insecure: true}' : `protocol: ${protocol}`;
  const more =
    protocol === 'grpc'
      ? [
          '    # Without a method the standard health service is asked; docs/protocols.md names the fields for another.',
        ]
      : protocol === 'tls'
        ? ['    # tls: {ca: FILE} in place of insecure has the certificate verified.']
        : [];
  return [
    `  lanes:                         # ${because}`,
    ...more,
    ...['new', 'kept'].map((lane) => `    - {lane: ${lane}, ${spoken}}`),
  ];
};
