// What people write as the address of a load: the scheme says the protocol and whether it goes through TLS.
import { type Protocol, protocols } from '../../model/load.ts';

const schemes: Readonly<
  Record<string, { readonly protocol: Protocol | undefined; readonly secure: boolean }>
> = {
  // With --protocol any of them.
  http: { protocol: undefined, secure: false },
  https: { protocol: undefined, secure: true },
  http2: { protocol: 'http2', secure: false },
  h2c: { protocol: 'http2', secure: false },
  https2: { protocol: 'http2', secure: true },
  h2: { protocol: 'http2', secure: true },
  grpc: { protocol: 'grpc', secure: false },
  grpcs: { protocol: 'grpc', secure: true },
  ws: { protocol: 'websocket', secure: false },
  wss: { protocol: 'websocket', secure: true },
  'sse+http': { protocol: 'sse', secure: false },
  'sse+https': { protocol: 'sse', secure: true },
  tcp: { protocol: 'tcp', secure: false },
  tls: { protocol: 'tcp', secure: true },
};

export interface Address {
  readonly protocol: Protocol;
  /** http: or https:, which says whether it goes through TLS. */
  readonly url: string;
}

/** Undefined: not such an address, or its scheme says another protocol than the wanted one. */
export function addressOf(text: string, wanted?: Protocol): Address | undefined {
  const [, name = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.+)$/i.exec(text) ?? [];
  const scheme = schemes[name.toLowerCase()];
  if (!scheme) return undefined;
  const protocol = scheme.protocol ?? wanted ?? 'http1';
  if (wanted !== undefined && protocol !== wanted) return undefined;
  const url = `${scheme.secure ? 'https' : 'http'}://${rest}`;
  if (!URL.canParse(url) || new URL(url).hostname === '') return undefined;
  // A TCP address has no usual port.
  if (protocol === 'tcp' && !/:\d+(\/|$)/.test(rest)) return undefined;
  return { protocol, url: protocol === 'http1' ? text : url };
}

export const knownSchemes: readonly string[] = Object.keys(schemes);
export const isProtocol = (text: string): text is Protocol => (protocols as readonly string[]).includes(text);
