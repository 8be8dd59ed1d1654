// What is asked of `conntrack` on a node, wherever it is started.

/**
 * A shell command that writes a line per event. Only what is needed of an entry's life: that it came (NEW, with the pod
 * that was chosen), that the other side answered (SYN_RECV), that a RST was the only answer (then the kernel drops the
 * entry at once, still unreplied; it is in no table). Not narrowed by `-d`: then conntrack 1.4.7 leaves out the DESTROY
 * events, and with them all refusals.
 */
export const conntrackEvents = (addresses: readonly string[]): string =>
  `conntrack -E -p tcp -o timestamp,id --buffer-size 8388608 2>&1 |
  grep --line-buffered -E '(\\[NEW\\]|SYN_RECV|\\[DESTROY\\].*\\[UNREPLIED\\]).*|^conntrack|WARNING' |
  grep --line-buffered -E '${patternOf(addresses)}|^conntrack|WARNING'`;

/** Entries of connections to one of these addresses ("10.96.0.7:80"). */
const patternOf = (addresses: readonly string[]): string =>
  addresses
    .map((address) => {
      const at = address.lastIndexOf(':');
      const host = address.slice(0, at).replace(/[[\]]/g, '').replaceAll('.', '\\.');
      return `dst=${host} sport=[0-9]+ dport=${address.slice(at + 1)} `;
    })
    .join('|');
