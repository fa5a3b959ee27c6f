#!/bin/bash
# `npm run test:interop [-- NAME... | --list | --lanes N | --sample]`: our daemon and Debian's heartbeat 3.0.6 in one cluster, case
# by case (docs/interop.md), then Debian's clients and scripts with our daemon and ours with theirs (docs/client-api.md). With
# arguments, the cases they name only. Does its own set-up: names and installs the Debian packages it needs; none of their
# services is started. The last line is the counts of all.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run interop >&2
[ $# = 0 ] || [ "$*" = --sample ] || exec node dist/test/interop/main.js "$@"

status=0
log=$(mktemp)
counts=$(mktemp)
trap 'rm -f "$log" "$counts"' EXIT
for part in "dist/test/interop/main.js $*" "scripts/run-jest.mjs interop-clients/"; do
  # The name of a part is words.
  # shellcheck disable=SC2086
  node $part 2>&1 | tee "$log" || status=1
  # A part that ended without counts, killed for example, is a failure of its own.
  { grep -E '^tests: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" || echo 'tests: 0 passed, 1 failed, 0 skipped'; } |
    tail -1 >>"$counts"
done
awk '{passed += $2; failed += $4; skipped += $6} END {
  printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, skipped
}' "$counts"
exit "$status"
