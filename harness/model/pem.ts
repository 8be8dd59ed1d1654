// Certificates and keys as somebody has them in files: what no TLS can be made of is said before anything starts.
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

interface Pem {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The field that is at fault, and the rest of a sentence about it. OpenSSL passes over an authority that is none. */
export function pemProblem({
  ca,
  cert,
  key,
}: Pem): { readonly field: keyof Pem; readonly why: string } | undefined {
  if (ca !== undefined) {
    const blocks = ca.match(/-----BEGIN [\w ]*CERTIFICATE-----[^-]*-----END [\w ]*CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) return { field: 'ca', why: 'holds no certificate in PEM' };
    for (const block of blocks) {
      const why = failureOf(() => new X509Certificate(block));
      if (why) return { field: 'ca', why: `holds a certificate that cannot be read: ${why}` };
    }
  }
  if (cert === undefined || key === undefined) return undefined;
  const own = failureOf(() => createSecureContext({ cert }));
  if (own) return { field: 'cert', why: `holds no certificate in PEM that can be used: ${own}` };
  const both = failureOf(() => createSecureContext({ cert, key }));
  return both
    ? { field: 'key', why: `holds no key in PEM that belongs to the certificate: ${both}` }
    : undefined;
}

function failureOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
