// Namespace: born with a ServiceAccount and the root certificate, deleted in steps.
// Source: registry/core/namespace, controller/{serviceaccount,certificates/rootcacertpublisher}.
import { forbidden } from '../errors.ts';
import { cloneObject, isObject, timestamp } from '../objects.ts';
import { definitionOf } from '../resources.ts';
import type { Strategy } from './strategy.ts';

const protectedNamespaces = ['default', 'kube-system', 'kube-public'];

export const namespaceStrategy: Strategy = {
  created({ metadata }, { create, rootCertificate }) {
    create(definitionOf('serviceaccounts'), { metadata: { name: 'default', namespace: metadata.name } });
    if (rootCertificate === undefined) return;
    create(definitionOf('configmaps'), {
      metadata: {
        name: 'kube-root-ca.crt',
        namespace: metadata.name,
        annotations: {
          'kubernetes.io/description':
            'The certificate of the authority that signs what this API server shows to pods.',
        },
      },
      data: { 'ca.crt': rootCertificate },
    });
  },
  startDeletion(current, { now }) {
    const { name, deletionTimestamp } = current.metadata;
    if (protectedNamespaces.includes(name)) {
      throw forbidden(definitionOf('namespaces'), name, 'this namespace may not be deleted');
    }
    if (deletionTimestamp) return undefined;
    const changed = cloneObject(current);
    changed.metadata.deletionTimestamp = timestamp(now());
    changed.status = { ...(isObject(changed.status) ? changed.status : {}), phase: 'Terminating' };
    return changed;
  },
};
