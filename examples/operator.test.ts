// An operator's test on an emulated cluster: nothing to install, up in a moment, gone afterwards.
// Run: node --import tsx examples/operator.test.ts
import assert from 'node:assert/strict';
import { AppsV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { startCluster } from 'rollproof/emulator';

/** The operator: every Deployment has a ConfigMap that says who owns it. */
async function reconcile(config: KubeConfig, namespace: string): Promise<void> {
  const { items } = await config.makeApiClient(AppsV1Api).listNamespacedDeployment({ namespace });
  for (const { metadata } of items) {
    const body = {
      metadata: { name: `${metadata?.name}-owner` },
      data: { team: metadata?.labels?.team ?? 'nobody' },
    };
    await config.makeApiClient(CoreV1Api).createNamespacedConfigMap({ namespace, body });
  }
}

await using cluster = await startCluster();
cluster.addImage('example.com/web:1', { command: ['sleep', '60'] });
const config = new KubeConfig();
config.loadFromString(cluster.kubeconfig);
const [apps, core] = [config.makeApiClient(AppsV1Api), config.makeApiClient(CoreV1Api)];
const labels = { app: 'web', team: 'shop' };
const template = {
  metadata: { labels },
  spec: { containers: [{ name: 'web', image: 'example.com/web:1' }] },
};
const spec = { replicas: 2, selector: { matchLabels: { app: 'web' } }, template };
await apps.createNamespacedDeployment({
  namespace: 'default',
  body: { metadata: { name: 'web', labels }, spec },
});

await reconcile(config, 'default');

const { data } = await core.readNamespacedConfigMap({ namespace: 'default', name: 'web-owner' });
assert.deepEqual(data, { team: 'shop' });
const deadlineMs = Date.now() + 20_000;
for (let ready = 0; ready < 2; ) {
  assert.ok(Date.now() < deadlineMs, `the Deployment has ${ready} of 2 ready pods after 20 s`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { status } = await apps.readNamespacedDeployment({ namespace: 'default', name: 'web' });
  ready = status?.readyReplicas ?? 0;
}
console.log('the operator keeps its promise, on two pods that run');
