// Resource quantities ("500m", "1Gi"): parsing and the canonical form that the API server stores.
// Source: apimachinery/pkg/api/resource/quantity.go.

interface Quantity {
  /** Value × 10⁹, rounded up as Kubernetes does below 1n. */
  readonly nano: bigint;
  readonly format: 'BinarySI' | 'DecimalSI' | 'DecimalExponent';
}

const decimalExponents: Record<string, number> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binaryExponents: Record<string, bigint> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };

/** Undefined when the text is no quantity. */
export function parseQuantity(text: string | number): Quantity | undefined {
  const match = /^([+-]?)(\d+\.?\d*|\.\d+)([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d{1,3})$/.exec(String(text));
  if (!match) return undefined;
  const [, sign, number = '', suffix = ''] = match;
  const [whole = '', fraction = ''] = number.split('.');
  const digits = BigInt(`${whole}${fraction}` || '0');
  const binary = binaryExponents[suffix];
  const isExponent = /^[eE][+-]?\d+$/.test(suffix);
  const exponent =
    (binary === undefined ? (isExponent ? Number(suffix.slice(1)) : (decimalExponents[suffix] ?? 0)) : 0) +
    9 -
    fraction.length;
  const scaled = binary === undefined ? digits : digits << binary;
  const nano = exponent >= 0 ? scaled * 10n ** BigInt(exponent) : divideUp(scaled, 10n ** BigInt(-exponent));
  return {
    nano: sign === '-' ? -nano : nano,
    format: binary === undefined ? (isExponent ? 'DecimalExponent' : 'DecimalSI') : 'BinarySI',
  };
}

/** "0.5" → "500m", "1024Mi" → "1Gi", "1000" → "1k". Text that is no quantity is returned as it is. */
export function canonicalQuantity(text: string | number): string {
  const quantity = parseQuantity(text);
  if (!quantity) return String(text);
  const { nano } = quantity;
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  const unit = 10n ** 9n;
  if (quantity.format === 'BinarySI' && size >= 1024n * unit) {
    let value = divideUp(size, unit);
    let power = 0;
    while (power < 6 && value % 1024n === 0n) {
      value /= 1024n;
      power++;
    }
    return `${sign}${value}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][power]}`;
  }
  let value = size;
  let exponent = -9;
  while (exponent < 18 && value % 1000n === 0n) {
    value /= 1000n;
    exponent += 3;
  }
  if (quantity.format === 'DecimalExponent') return `${sign}${value}${exponent === 0 ? '' : `e${exponent}`}`;
  const suffix = Object.entries(decimalExponents).find(([, power]) => power === exponent)?.[0] ?? '';
  return `${sign}${value}${suffix}`;
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
