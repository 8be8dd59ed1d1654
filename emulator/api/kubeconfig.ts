// The administrator's way in, as kubectl and every client read it (JSON is YAML, too).
// https although all is on loopback: clients of Kubernetes send a token over nothing else.

interface KubeconfigContent {
  /** "http://127.0.0.1:PORT" or https: the same port speaks both. */
  readonly url: string;
  readonly token: string;
  /** PEM. */
  readonly certificateAuthority: string;
  readonly name?: string;
}

export function kubeconfigFor({
  url,
  token,
  certificateAuthority,
  name = 'embedded',
}: KubeconfigContent): string {
  const cluster = {
    server: url.replace(/^http:/, 'https:'),
    'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64'),
  };
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    },
    undefined,
    2,
  );
}
