// PersistentVolumeClaim: pending until the provisioner has found it a volume; the default class where none is named.
// Source: registry/core/persistentvolumeclaim/strategy.go, plugin/pkg/admission/storage/storageclass/setdefault.
import { isObject } from '../objects.ts';
import { definitionOf } from '../resources.ts';
import type { Strategy } from './strategy.ts';

const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class';

export const persistentVolumeClaimStrategy: Strategy = {
  admit(object, { storage }) {
    if (!isObject(object.spec) || object.spec.storageClassName !== undefined) return;
    const found = storage
      .list(definitionOf('storageclasses'))
      .find(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === 'true');
    if (found) object.spec.storageClassName = found.metadata.name;
  },
  prepareForUpdate(object, current) {
    if (!isObject(object.spec) || !isObject(current.spec)) return;
    if (current.spec.volumeName) object.spec.volumeName ??= current.spec.volumeName;
  },
  returnsDeleted: true,
};
