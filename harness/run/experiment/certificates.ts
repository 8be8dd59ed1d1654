// Certificates of a scenario: made when it runs, put in place of the words that stand for them. The scenario itself keeps
// the words, and so do header and steps in the journal: no key is ever written.
import type { Scenario } from '../../model/scenario.ts';

/** Makes an authority that issues certificates (PEM). */
export type MakeAuthority = () => {
  readonly cert: string;
  issue(options: { readonly hosts: readonly string[]; readonly validToMs: number }): {
    readonly cert: string;
    readonly key: string;
  };
};

const hourMs = 3_600_000;

/** The scenario with its certificates in place of the words. The same one where it has none. */
export function withCertificates(
  scenario: Scenario,
  makeAuthority: MakeAuthority,
  nowMs = Date.now(),
): Scenario {
  if (!scenario.certificates) return scenario;
  const authority = makeAuthority();
  const texts = new Map([['{authority}', authority.cert]]);
  for (const [name, { hosts, validHours }] of Object.entries(scenario.certificates)) {
    const { cert, key } = authority.issue({ hosts, validToMs: nowMs + validHours * hourMs });
    texts.set(`{certificate:${name}}`, cert);
    texts.set(`{key:${name}}`, key);
  }
  const { target, load, steps } = scenario;
  return { ...scenario, ...filled({ target, load, steps }, texts) };
}

function filled<T>(value: T, texts: ReadonlyMap<string, string>): T {
  if (typeof value === 'string') return (texts.get(value) ?? value) as T;
  if (Array.isArray(value)) return value.map((item) => filled(item, texts)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, texts)])) as T;
}
