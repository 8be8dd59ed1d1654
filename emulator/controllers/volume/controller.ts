// Volumes at the level of the API: a claim gets a volume of its size, made for it by the local provisioner when a pod
// wants it (WaitForFirstConsumer) or at once, and goes back as its class says.
// Source: pkg/controller/volume/persistentvolume/pv_controller.go; the StorageClass is the one that kind has.

import { type Draft, type Kinds, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { amountOf } from '../scheduler/resources.ts';

type Claim = Kinds['persistentvolumeclaims'];
type Volume = Kinds['persistentvolumes'];

export const localProvisioner = 'rollproof.dev/local-path';
/** Below it each volume has a folder of its own; the kubelet makes it. */
const volumesRoot = '/var/lib/rollproof/volumes';

export function startVolumeController(context: ControllerContext): void {
  const { informers, registry } = context;
  const client = clientFor(context, 'persistentvolume-controller');
  const queue = queueFor(context, 'persistentvolume', sync);
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    if (namespace === undefined) return syncVolume(name);
    const claim = registry.get('persistentvolumeclaims', namespace, name);
    if (!claim) return;
    if (claim.status?.phase === 'Bound') return;
    if (claim.status?.phase === undefined) await setPhase(claim, 'Pending');
    const found = findVolume(claim) ?? (await provision(claim));
    if (found) await bind(claim, found);
  }

  /** A volume that exists already, big enough, of the same class and modes, and nobody else's. */
  function findVolume(claim: Claim): Volume | undefined {
    const wanted = amountOf('storage', claim.spec?.resources?.requests?.storage ?? '0');
    const fits = ({ spec, metadata }: Volume) => {
      const owner = spec?.claimRef;
      if (owner && !(owner.namespace === claim.metadata.namespace && owner.name === claim.metadata.name))
        return false;
      if (owner?.uid && owner.uid !== claim.metadata.uid) return false;
      if (claim.spec?.volumeName) return metadata.name === claim.spec.volumeName;
      return (
        (spec?.storageClassName ?? '') === (claim.spec?.storageClassName ?? '') &&
        amountOf('storage', spec?.capacity?.storage ?? '0') >= wanted &&
        (claim.spec?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode))
      );
    };
    return registry
      .list('persistentvolumes')
      .filter((volume) => volume.status?.phase !== 'Released' && fits(volume))
      .sort((left, right) => size(left) - size(right))[0];
  }

  async function provision(claim: Claim): Promise<Volume | undefined> {
    const { namespace, name, uid } = claim.metadata;
    const storageClass = registry.get('storageclasses', undefined, claim.spec?.storageClassName ?? '');
    if (storageClass?.provisioner !== localProvisioner) {
      if (storageClass) {
        const text = `waiting for a volume to be created by the external provisioner '${storageClass.provisioner}', which the emulated cluster does not have`;
        client.event(claim, 'Normal', 'ExternalProvisioning', text);
      } else {
        const text = 'no persistent volumes available for this claim and no storage class is set';
        client.event(claim, 'Normal', 'FailedBinding', text);
      }
      return undefined;
    }
    if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && !isWanted(claim)) {
      client.event(
        claim,
        'Normal',
        'WaitForFirstConsumer',
        'waiting for first consumer to be created before binding',
      );
      return undefined;
    }
    const draft: Draft<'persistentvolumes'> = {
      metadata: {
        name: `pvc-${uid}`,
        annotations: { 'pv.kubernetes.io/provisioned-by': localProvisioner },
      },
      spec: {
        capacity: { storage: claim.spec?.resources?.requests?.storage ?? '1Gi' },
        accessModes: claim.spec?.accessModes ?? ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: storageClass.metadata.name,
        volumeMode: 'Filesystem',
        hostPath: { path: `${volumesRoot}/pvc-${uid}_${namespace}_${name}`, type: 'DirectoryOrCreate' },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      },
    };
    try {
      const volume = await client.create('persistentvolumes', draft);
      client.event(
        claim,
        'Normal',
        'ProvisioningSucceeded',
        `Successfully provisioned volume ${volume.metadata.name}`,
      );
      return volume;
    } catch (error) {
      if (!(error instanceof StatusError && error.code === 409)) throw error;
      return registry.get('persistentvolumes', undefined, `pvc-${uid}`);
    }
  }

  async function bind(claim: Claim, volume: Volume): Promise<void> {
    const { namespace, name, uid } = claim.metadata;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    await client.mutate('persistentvolumes', undefined, volume.metadata.name, (draft) => {
      draft.spec = { ...draft.spec, claimRef };
    });
    await client.mutate(
      'persistentvolumes',
      undefined,
      volume.metadata.name,
      (draft) => {
        draft.status = { phase: 'Bound' };
      },
      'status',
    );
    await client.mutate('persistentvolumeclaims', namespace, name, (draft) => {
      draft.spec = { ...draft.spec, volumeName: volume.metadata.name };
      draft.metadata.annotations = {
        ...draft.metadata.annotations,
        'pv.kubernetes.io/bind-completed': 'yes',
      };
    });
    await client.mutate(
      'persistentvolumeclaims',
      namespace,
      name,
      (draft) => {
        draft.status = {
          phase: 'Bound',
          ...(volume.spec?.accessModes ? { accessModes: volume.spec.accessModes } : {}),
          ...(volume.spec?.capacity ? { capacity: volume.spec.capacity } : {}),
        };
      },
      'status',
    );
  }

  /** Some pod names the claim. */
  function isWanted({ metadata }: Claim): boolean {
    return registry
      .list('pods', metadata.namespace)
      .some(({ spec }) =>
        spec?.volumes?.some((volume) => volume.persistentVolumeClaim?.claimName === metadata.name),
      );
  }

  /** A volume whose claim is gone: deleted or kept, as it says. */
  async function syncVolume(name: string): Promise<void> {
    const volume = registry.get('persistentvolumes', undefined, name);
    const owner = volume?.spec?.claimRef;
    if (!volume || volume.metadata.deletionTimestamp) return;
    if (!owner) {
      if (volume.status?.phase === undefined || volume.status.phase === 'Pending')
        await setVolumePhase(name, 'Available');
      return;
    }
    const claim = registry.get('persistentvolumeclaims', owner.namespace, owner.name ?? '');
    if (!owner.uid || claim?.metadata.uid === owner.uid) return;
    if (volume.spec?.persistentVolumeReclaimPolicy === 'Delete')
      await client.delete('persistentvolumes', undefined, name);
    else if (volume.status?.phase !== 'Released') await setVolumePhase(name, 'Released');
  }

  async function setVolumePhase(name: string, phase: string): Promise<void> {
    await client.mutate(
      'persistentvolumes',
      undefined,
      name,
      (draft) => {
        draft.status = { ...draft.status, phase };
      },
      'status',
    );
  }

  async function setPhase({ metadata }: Claim, phase: string): Promise<void> {
    await client.mutate(
      'persistentvolumeclaims',
      metadata.namespace,
      metadata.name,
      (draft) => {
        draft.status = { ...draft.status, phase };
      },
      'status',
    );
  }

  function watch(): void {
    informers.on('persistentvolumeclaims', ({ type, object }) => {
      queue.add(keyOf(object.metadata.namespace, object.metadata.name));
      if (type === 'DELETED' && object.spec?.volumeName) queue.add(object.spec.volumeName);
    });
    informers.on('persistentvolumes', ({ object }) => {
      queue.add(object.metadata.name);
      for (const { metadata, status } of informers.list('persistentvolumeclaims')) {
        if (status?.phase !== 'Bound') queue.add(keyOf(metadata.namespace, metadata.name));
      }
    });
    informers.on('pods', ({ type, object }) => {
      if (type !== 'ADDED') return;
      for (const { persistentVolumeClaim } of object.spec?.volumes ?? []) {
        if (persistentVolumeClaim)
          queue.add(keyOf(object.metadata.namespace, persistentVolumeClaim.claimName));
      }
    });
  }

  const size = (volume: Volume) => amountOf('storage', volume.spec?.capacity?.storage ?? '0');
}
