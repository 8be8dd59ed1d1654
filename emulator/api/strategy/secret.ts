// Secret: stringData is write-only, it becomes data.
import { isObject, type KubeObject } from '../objects.ts';
import type { Strategy } from './strategy.ts';

export const secretStrategy: Strategy = {
  admit(secret) {
    encodeStringData(secret);
  },
  prepareForUpdate: encodeStringData,
};

function encodeStringData(secret: KubeObject): void {
  if (!isObject(secret.stringData)) return;
  const encoded = Object.entries(secret.stringData).map(([key, text]) => [
    key,
    Buffer.from(String(text)).toString('base64'),
  ]);
  secret.data = { ...(isObject(secret.data) ? secret.data : {}), ...Object.fromEntries(encoded) };
  delete secret.stringData;
}
