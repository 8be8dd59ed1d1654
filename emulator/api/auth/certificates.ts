// Certificates made on the spot: an authority and leaves of it, for the API server and for tests of TLS.
// Written as DER by hand, because Node signs but does not issue (RFC 5280; ECDSA on P-256 with SHA-256).
import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

interface Authority extends Certificate {
  issue(options: {
    readonly hosts: readonly string[];
    readonly addresses?: readonly string[];
    readonly validToMs: number;
  }): Certificate;
}

const dayMs = 86_400_000;

export function createAuthority(name = 'rollproof test CA', nowMs = Date.now()): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const build = (
    subject: string,
    publicKey: KeyObject,
    validToMs: number,
    extensions: readonly Buffer[],
  ): string => {
    const toBeSigned = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ecdsaWithSha256,
      distinguishedName(name),
      sequence(utcTime(Math.min(nowMs, validToMs) - 30 * dayMs), utcTime(validToMs)),
      distinguishedName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = createSign('SHA256').update(toBeSigned).sign(own.privateKey);
    return pem('CERTIFICATE', sequence(toBeSigned, ecdsaWithSha256, bitString(signature)));
  };
  const isAuthority = extension('551d13', sequence(Buffer.from([0x01, 0x01, 0xff])), true);
  return {
    key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: build(name, own.publicKey, nowMs + 365 * dayMs, [isAuthority]),
    issue({ hosts, addresses = [], validToMs }) {
      const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const names = sequence(
        ...hosts.map((host) => tagged(0x82, Buffer.from(host))),
        ...addresses.map((address) => tagged(0x87, Buffer.from(address.split('.').map(Number)))),
      );
      return {
        key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        cert: build(hosts[0] ?? 'leaf', leaf.publicKey, validToMs, [extension('551d11', names, false)]),
      };
    },
  };
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  const header =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(header), contents]);
}
const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const bitString = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes);
/** OID 1.2.840.10045.4.3.2 */
const ecdsaWithSha256 = sequence(tagged(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
/** Common name: OID 2.5.4.3. */
const distinguishedName = (commonName: string): Buffer =>
  sequence(
    tagged(0x31, sequence(tagged(0x06, Buffer.from('550403', 'hex')), tagged(0x0c, Buffer.from(commonName)))),
  );
const extension = (oid: string, value: Buffer, critical: boolean): Buffer =>
  sequence(
    tagged(0x06, Buffer.from(oid, 'hex')),
    ...(critical ? [Buffer.from([0x01, 0x01, 0xff])] : []),
    tagged(0x04, value),
  );
/** YYMMDDHHMMSSZ */
const utcTime = (ms: number): Buffer =>
  tagged(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
