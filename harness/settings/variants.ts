// Variants: named, versioned lists of settings, and what can be asked for by name.
import { UsageError } from '../model/errors.ts';
import { asIsName, type Variant } from '../model/setting.ts';
import { settingNamed } from './registry.ts';

/** Somebody's own workload, unchanged. */
export const asIs: Variant = { name: asIsName, version: 1, settings: [] };

/** Does not grow by itself when settings are added: a change of this list is a new version. */
export const hardened: Variant = {
  name: 'hardened',
  version: 1,
  settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'],
};

/** None of the settings: our own target comes without them, somebody else's loses them. */
export const baseline: Variant = {
  name: 'baseline',
  version: 1,
  settings: [],
  takesAway: hardened.settings,
};

/**
 * A variant by what the user wrote: `as-is`, `baseline`, `hardened`, a name of the configuration, `only:preStop` (none but
 * that one), `without:preStop` (hardened, less that one), or settings joined by `+` (`hardened` or `as-is` may be one of
 * them: `hardened+minReadySeconds`). Some settings take a value: `preStop=2` and `minReadySeconds=60` (seconds), `surge=1`
 * (pods), `gracefulShutdown=drain` (a way of the built-in target to stop). Throws UsageError with what there is.
 */
export function variantNamed(
  name: string,
  configured: Readonly<Record<string, readonly string[]>> = {},
): Variant {
  const own = Object.hasOwn(configured, name) ? configured[name] : undefined;
  if (own) return variantOf(name, own);
  if (name === asIs.name) return asIs;
  if (name === baseline.name) return baseline;
  if (name === hardened.name) return hardened;
  if (name.includes('=')) return withValues(name, configured);
  const [prefix, rest] = name.split(/:(.*)/s, 2);
  if (prefix === 'only' && rest) return only(rest);
  if (prefix === 'without' && rest) {
    if (!hardened.settings.includes(rest)) {
      throw new UsageError(`variant "${name}": hardened has ${hardened.settings.join(', ')}, not "${rest}".`);
    }
    return lacking(hardened.settings, rest);
  }
  const parts = name.split('+');
  if (parts.length > 1) return variantOf(name, settingsOf(parts));
  const names = [asIs.name, baseline.name, hardened.name, ...Object.keys(configured)].join(', ');
  throw new UsageError(
    `variant "${name}" is not known. There are ${names}, only:SETTING, without:SETTING and SETTING+SETTING.`,
  );
}

/** A variant whose name carries values: the same without them, and the values beside it. */
function withValues(name: string, configured: Readonly<Record<string, readonly string[]>>): Variant {
  const values: { -readonly [field in keyof Values]: Values[field] } = {};
  const bare = name.replaceAll(/([A-Za-z]+)=([A-Za-z0-9]*)/g, (_, setting: string, value: string) => {
    if (setting === 'preStop' && /^\d{1,3}$/.test(value)) values.preStopSeconds = Number(value);
    else if (setting === 'minReadySeconds' && /^\d{1,4}$/.test(value)) values.minReadySeconds = Number(value);
    else if (setting === 'surge' && /^[1-9]\d{0,2}$/.test(value)) values.maxSurge = Number(value);
    else if (setting === 'gracefulShutdown' && stopModes.includes(value)) values.stopMode = value;
    else {
      throw new UsageError(
        `variant "${name}": "${setting}=${value}" is not understood. Values are preStop=SECONDS, minReadySeconds=SECONDS, surge=PODS and gracefulShutdown=${stopModes.join('|')}.`,
      );
    }
    return setting;
  });
  const parts = bare.split('+');
  const single = parts.length === 1 && !bare.includes(':');
  if (single) return { ...variantOf(name, settingsOf(parts)), ...values };
  return { ...variantNamed(bare, configured), name, ...values };
}

type Values = Omit<Variant, 'name' | 'version' | 'settings'>;

/** Ways to stop that the built-in target has beside the recommended one (target/config.ts). */
const stopModes: readonly string[] = ['drain', 'ignore'];

const settingsOf = (parts: readonly string[]): string[] => [
  ...new Set(
    parts.flatMap((part) => (part === hardened.name ? hardened.settings : part === asIs.name ? [] : [part])),
  ),
];

/**
 * The variants that show what each setting does: none, each alone, all but one each, all. For n settings 2n + 2,
 * fewer where two are the same list (with two settings, one alone is all but the other).
 */
export function ablation(settings: readonly string[] = hardened.settings): readonly Variant[] {
  const isHardened = sameSettings(settings, hardened.settings);
  const all = isHardened ? hardened : variantOf('all', settings);
  const candidates = [
    baseline,
    ...settings.map((name) => only(name, settings)),
    ...settings.map((name) => lacking(settings, name)),
    all,
  ];
  return candidates.filter(
    (variant, index) =>
      candidates.findIndex((earlier) => sameSettings(earlier.settings, variant.settings)) === index,
  );
}

/** That one alone: of `among`, somebody's own workload loses the others. */
const only = (name: string, among: readonly string[] = hardened.settings): Variant => ({
  ...variantOf(`only:${name}`, [name]),
  takesAway: without(among, name),
});

const lacking = (settings: readonly string[], name: string): Variant => ({
  ...variantOf(`without:${name}`, without(settings, name)),
  takesAway: [name],
});

function variantOf(name: string, settings: readonly string[]): Variant {
  for (const setting of settings) {
    const rival = settingNamed(setting).conflictsWith.find((other) => settings.includes(other));
    if (rival)
      throw new UsageError(`variant "${name}": ${setting} and ${rival} contradict each other; choose one.`);
  }
  return { name, version: 1, settings };
}

const without = (settings: readonly string[], name: string) => settings.filter((setting) => setting !== name);

function sameSettings(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name) => right.includes(name));
}
