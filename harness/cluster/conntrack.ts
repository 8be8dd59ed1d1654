// What is asked of `conntrack` on a node, wherever it is started.
import { MARK_PORT, MARKS, markNetwork } from '../model/conntrack-mark.ts';

/** What the kernel may keep of events that nobody has read yet, bytes: some ten seconds of 1,000 new connections per second. */
const BUFFER_BYTES = 64 * 1024 * 1024;

/**
 * Perl that starts a command and gives the sockets that it opens within a second that buffer. conntrack 1.4.7 (Debian 12, so
 * the images of kind and of kube-proxy) sets `--buffer-size` on another socket than the one that events come by, which then
 * holds 166 of them, 25 ms of 1,000 connections per second. The numbers are SYS_pidfd_open and SYS_pidfd_getfd, and
 * SOL_SOCKET and SO_RCVBUFFORCE of Linux. Without Perl, or the right to, it is as conntrack has it.
 */
const WITH_BUFFER = `
my $size = shift; my $pid = fork // exit 3;
if (!$pid) { exec @ARGV or exit 127 }
my $process = syscall(434, $pid, 0);
for (my $i = 0; $process >= 0 && $i < 100; $i++) {
  opendir(my $all, "/proc/$pid/fd") or last;
  for my $n (readdir $all) {
    next unless (readlink("/proc/$pid/fd/$n") // "") =~ /^socket:/;
    my $fd = syscall(438, $process, $n + 0, 0);
    next if $fd < 0;
    open(my $socket, "+<&=", $fd) or next;
    setsockopt($socket, 1, 33, pack("i", $size));
  }
  select(undef, undef, undef, 0.01);
}
waitpid $pid, 0; exit $? >> 8`;

/**
 * A shell command that writes a line per event. Only what is needed of an entry's life: that it came (NEW, with the pod
 * that was chosen), that the other side answered (SYN_RECV), that a RST was the only answer (then the kernel drops the
 * entry at once, still unreplied; it is in no table). Not narrowed by `-d`: then conntrack 1.4.7 leaves out the DESTROY
 * events, and with them all refusals.
 */
const conntrackEvents = (addresses: readonly string[]): string =>
  `"\${started[@]}" conntrack -E -p tcp -o timestamp,id --buffer-size ${BUFFER_BYTES} 2>&1 |
  grep --line-buffered -E '(\\[NEW\\]|SYN_RECV|\\[DESTROY\\].*\\[UNREPLIED\\]).*|^conntrack|WARNING' |
  grep --line-buffered -E '${patternOf(addresses)}|^conntrack|WARNING'`;

/**
 * Bash that starts those events in the background (`$events` is their pipe; `$!` is not: the substitution below changes
 * it) and goes on when the kernel knows of the subscription:
 * before that, connections go by unseen. /proc/net/netlink lists the subscribers (protocol 12, groups not 0). Without it, or
 * without an answer, it goes on after 5 s. Needs no program but conntrack and grep; Perl is of use.
 */
const startedEvents = (addresses: readonly string[]): string => `
subscribers() { grep -cE '^[0-9a-f]+ +12 +-?[0-9]+ +0*[1-9a-f]' /proc/net/netlink; }
others=$(subscribers)
started=()
command -v perl > /dev/null && started=(perl -e '${WITH_BUFFER}' ${BUFFER_BYTES})
{ ${conntrackEvents(addresses)}; } &
events=$!
exec {pause}<> <(:)
for ((i = 0; i < 100; i++)); do
  [ "$(subscribers)" -gt "$others" ] && break
  read -rt 0.05 -u "$pause"
done`;

const MARK_EVERY_S = 0.25;

/**
 * Bash that goes on while the events do, doing `meanwhile` (which takes up to $wait seconds), and makes a mark now and
 * then: says the time, and connects to the next address of `network`. The kernel tells its events in order: where that connection is read,
 * everything from before that time has been read. Without marks nobody knows how far behind a reader is, for the time of an
 * event is the one at which `conntrack` has read it.
 */
const marked = (network: string, meanwhile: string): string => `
wait=${MARK_EVERY_S}
number=0
mark() {
  number=$((number % ${MARKS} + 1))
  printf '[%s] mark %s\\n' "\${EPOCHREALTIME/,/.}" "${network}.$number:${MARK_PORT}"
  { : < "/dev/tcp/${network}.$number/${MARK_PORT}"; } 2> /dev/null
}
mark
while kill -0 "$events" 2> /dev/null; do
  ${meanwhile}
  mark
done`;

/** First line of what is read. */
export const READS = 'reading';

interface EventsScript {
  readonly addresses: readonly string[];
  /** Said where the node or image has no conntrack; then it ends with 3. */
  readonly missing: string;
  /** Bash: how its end is seen to, once the events are started. */
  readonly ending: string;
  /** Bash that is done again and again, and takes $wait seconds at most; default: nothing. */
  readonly meanwhile?: string;
}

/** Bash that writes READS, and from then on a line per event and mark, until it is ended. */
export const eventsScript = ({
  addresses,
  missing,
  ending,
  meanwhile = 'read -rt "$wait" -u "$pause"',
}: EventsScript): string => {
  const mark = markNetwork();
  return `command -v conntrack > /dev/null || { echo "${missing}"; exit 3; }
${startedEvents([...addresses, `${mark}.*:${MARK_PORT}`])}
${ending}
echo ${READS}
${marked(mark, meanwhile)}
`;
};

/** The same as what a pod does: it ends at once when it is told to. */
export const podEvents = (addresses: readonly string[]): string =>
  eventsScript({ addresses, missing: 'the image has no conntrack', ending: "trap 'exit 0' TERM" });

/** Entries of connections to one of these addresses ("10.96.0.7:80"; "*:8080" is that port of any, "127.1.2.*:1" of these). */
const patternOf = (addresses: readonly string[]): string =>
  addresses
    .map((address) => {
      const at = address.lastIndexOf(':');
      const host = address.slice(0, at).replace(/[[\]]/g, '').replaceAll('.', '\\.').replace('*', '[^ ]+');
      return `dst=${host} sport=[0-9]+ dport=${address.slice(at + 1)} `;
    })
    .join('|');

const READS_LIMIT_MS = 10_000;

/**
 * Undefined once it is read. Else why it is not, the end of a sentence: `first` came to something else, it ended before, or
 * nothing is said within 10 s.
 */
export async function whyNotRead(
  first: Promise<string | undefined>,
  ended: Promise<string>,
): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${READS_LIMIT_MS / 1000} s`), READS_LIMIT_MS);
  });
  try {
    return await Promise.race([first, ended, limit]);
  } finally {
    clearTimeout(timer);
  }
}
