#!/usr/bin/env bash
# The step of action.yml that runs rollproof. Reads COMMAND, FILES, ARGS, OUT and ACTION_PATH; writes exit-code, report,
# summary and sarif to GITHUB_OUTPUT. Ends with 0 unless the inputs are wrong: the last step of the action fails the job.
set -uo pipefail

say() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

# fail TEXT: an annotation, and exit code 4 as for any wrong usage.
fail() {
  printf '::error title=rollproof::%s\n' "$1"
  say exit-code 4
  exit 4
}

# One per line; also with the bash 3.2 of macOS.
files=() args=()
while IFS= read -r line; do
  line=${line%$'\r'}
  if [ -n "$line" ]; then files+=("$line"); fi
done <<<"$FILES"
while IFS= read -r line; do
  line=${line%$'\r'}
  if [ -n "$line" ]; then args+=("$line"); fi
done <<<"$ARGS"
case $COMMAND in
  # Their workload stands in rollproof.yaml, or in the arguments.
  verify | watch | harden)
    if [ ${#files[@]} -gt 0 ]; then fail "input files: it is for check; what $COMMAND runs against stands in rollproof.yaml or in args"; fi
    ;;
  check)
    if [ ${#files[@]} -eq 0 ]; then fail "input files: check needs at least one file or folder"; fi
    ;;
  *) fail "input command: it must be verify, watch, check or harden" ;;
esac

mkdir -p "$OUT" || fail "input out: the folder cannot be made"
out=$(cd "$OUT" && pwd)
rollproof() { node "$ACTION_PATH/scripts/rollproof.mjs" "$@"; }

if [ "$COMMAND" = check ]; then
  rollproof check ${args[@]+"${args[@]}"} -- "${files[@]}" 2>&1 | tee "$out/output.txt"
else
  # A folder for reports that was there before (a run that was done again) must not be mixed with this run.
  rm -rf "$out/report"
  rollproof "$COMMAND" --out "$out/report" ${args[@]+"${args[@]}"} 2>&1 | tee "$out/output.txt"
fi
code=${PIPESTATUS[0]}

if [ "$COMMAND" = check ]; then
  # The same findings once more, for code scanning. Input that cannot be read has been told above.
  if rollproof check ${args[@]+"${args[@]}"} --sarif -- "${files[@]}" >"$out/findings.sarif" 2>/dev/null || [ -s "$out/findings.sarif" ]; then
    say sarif "$out/findings.sarif"
  fi
fi

summary=$out/report/summary.md
if [ ! -s "$summary" ]; then
  summary=$out/summary.md
  # A fence that is longer than any in the text; a comment takes 65,536 characters.
  {
    printf '## rollproof %s: exit code %s\n\n' "$COMMAND" "$code"
    printf '~~~~~~~~text\n'
    head -c 60000 "$out/output.txt" | tr -d '\000' | sed 's/\x1b\[[0-9;]*m//g; s/~~~~~~~~/~~~~~~~/g'
    printf '\n~~~~~~~~\n'
    if [ "$(wc -c <"$out/output.txt")" -gt 60000 ]; then printf '\n_The rest is in output.txt of the artifact._\n'; fi
  } >"$summary"
fi
say exit-code "$code"
say report "$out"
say summary "$summary"
exit 0
