// Compares the cluster's version with the one that a field needs.

/** `atLeast("v1.34.4", 1, 30)`. A version that cannot be read counts as new: the API server will say if it is not. */
export function atLeast(version: string, major: number, minor: number): boolean {
  const match = /^v?(\d+)\.(\d+)/.exec(version);
  if (!match) return true;
  const [foundMajor, foundMinor] = [Number(match[1]), Number(match[2])];
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
