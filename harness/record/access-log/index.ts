// Reads a line of a proxy's access log. The form is found out from the line itself, so that nobody has to say it; each
// form stands in a file of its own, after its upstream's documentation.
import type { AccessFormat, AccessLine } from '../../model/access.ts';
import { envoy, envoyJson } from './envoy.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { traefikClf, traefikJson } from './traefik.ts';

type Reader = (line: string) => AccessLine | undefined;

/** The more a form demands, the earlier it is tried. */
const readers: Readonly<Record<AccessFormat, Reader>> = {
  'traefik-json': traefikJson,
  'envoy-json': envoyJson,
  envoy,
  haproxy,
  'traefik-clf': traefikClf,
  nginx,
};

/** Longer than any line of a proxy that is of use; what is beyond is not looked at. */
const LINE_LIMIT = 32_768;

/** Undefined: it is no line of an access log, or of none that is known. `form`: only this one is tried. */
export function accessLine(line: string, form?: AccessFormat): AccessLine | undefined {
  if (line.length > LINE_LIMIT) return undefined;
  const text = line.trim();
  for (const reader of form ? [readers[form]] : Object.values(readers)) {
    const read = reader(text);
    if (read) return read;
  }
  return undefined;
}
