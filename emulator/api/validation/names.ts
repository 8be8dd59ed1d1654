// Names, labels and ports: what is allowed, in Kubernetes' words.
// Source: apimachinery/pkg/util/validation/validation.go.

const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomainFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const serviceNameFormat = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualifiedFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValueFormat = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';

const isLabel = new RegExp(`^${labelFormat}$`);
const isSubdomain = new RegExp(`^${subdomainFormat}$`);
const isServiceName = new RegExp(`^${serviceNameFormat}$`);
const isQualified = new RegExp(`^${qualifiedFormat}$`);
const isLabelValue = new RegExp(`^${labelValueFormat}$`);

const tooLong = (limit: number) => `must be no more than ${limit} characters`;
const regex = (text: string, format: string, ...examples: string[]) =>
  `${text} (e.g. ${examples.map((example) => `'${example}'`).join(',  or ')}, regex used for validation is '${format}')`;

/** RFC 1123 label: at most 63 characters. */
export function dns1123Label(value: string): string[] {
  const errors = value.length > 63 ? [tooLong(63)] : [];
  if (isLabel.test(value)) return errors;
  // A name that would be right but for its dots is told so.
  if (isSubdomain.test(value)) return [...errors, 'must not contain dots'];
  return [
    ...errors,
    regex(
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
      labelFormat,
      'my-name',
      '123-abc',
    ),
  ];
}

/** RFC 1123 subdomain: at most 253 characters. */
export function dns1123Subdomain(value: string): string[] {
  const errors = value.length > 253 ? [tooLong(253)] : [];
  if (isSubdomain.test(value)) return errors;
  return [
    ...errors,
    regex(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      subdomainFormat,
      'example.com',
    ),
  ];
}

/** Whatever can be a part of a URL's path. */
export function pathSegment(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);
}

/** RFC 1035 label, for Services. */
export function dns1035Label(value: string): string[] {
  const errors = value.length > 63 ? [tooLong(63)] : [];
  if (isServiceName.test(value)) return errors;
  return [
    ...errors,
    regex(
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
      serviceNameFormat,
      'my-name',
      'abc-123',
    ),
  ];
}

/** [PREFIX/]NAME, as in label and annotation keys. */
export function qualifiedName(value: string): string[] {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `${regex(
        "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        qualifiedFormat,
        'MyName',
        'my.name',
        '123-abc',
      )} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const [prefix, name] = parts.length === 2 ? [parts[0]!, parts[1]!] : [undefined, value];
  const errors: string[] = [];
  if (prefix === '') errors.push('prefix part must be non-empty');
  else if (prefix !== undefined)
    errors.push(...dns1123Subdomain(prefix).map((text) => `prefix part ${text}`));
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > 63) errors.push(`name part ${tooLong(63)}`);
  if (!isQualified.test(name)) {
    errors.push(
      `name part ${regex(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        qualifiedFormat,
        'MyName',
        'my.name',
        '123-abc',
      )}`,
    );
  }
  return errors;
}

export function labelValue(value: string): string[] {
  const errors = value.length > 63 ? [tooLong(63)] : [];
  if (isLabelValue.test(value)) return errors;
  return [
    ...errors,
    regex(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      labelValueFormat,
      'MyValue',
      'my_value',
      '12345',
    ),
  ];
}

/** IANA_SVC_NAME, as in names of ports. */
export function portName(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 15) errors.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export function portNumber(value: number): string[] {
  return value >= 1 && value <= 65_535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** Keys of ConfigMaps and Secrets. */
export function configKey(value: string): string[] {
  const errors = value.length > 253 ? [tooLong(253)] : [];
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    errors.push(
      regex(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  } else if (value === '.') errors.push("must not be '.'");
  else if (value === '..') errors.push("must not be '..'");
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

export function environmentName(value: string): string[] {
  return /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function headerName(value: string): string[] {
  return /^[-A-Za-z0-9]+$/.test(value)
    ? []
    : [
        regex(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          '[-A-Za-z0-9]+',
          'X-Header-Name',
        ),
      ];
}

export function ipAddress(value: string): string[] {
  const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(value);
  const fits = ipv4?.slice(1).every((part) => Number(part) <= 255 && String(Number(part)) === part);
  const ipv6 = value.includes(':') && /^[0-9a-fA-F:.]+$/.test(value);
  return fits || ipv6 ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function cidr(value: string): string[] {
  const [address = '', length = '', ...rest] = value.split('/');
  const most = address.includes(':') ? 128 : 32;
  const fits = rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= most;
  return fits && ipAddress(address).length === 0
    ? []
    : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

const wildcardFormat = `\\*\\.${subdomainFormat}`;
const isWildcard = new RegExp(`^${wildcardFormat}$`);

/** "*.example.com" */
export function wildcardSubdomain(value: string): string[] {
  if (isWildcard.test(value)) return [];
  return [
    regex(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      wildcardFormat,
      '*.example.com',
    ),
  ];
}
