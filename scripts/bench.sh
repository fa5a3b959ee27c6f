#!/bin/bash
# `npm run bench [-- --rounds N] [--only NAME]`: see bench/main.ts. Does its own set-up: names and installs the Debian
# packages it compares with (heartbeat, keepalived); none of their services is started.
# `npm run bench:soak [-- --minutes N]`: see bench/soak-rt.ts.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run bench >&2
if [ "${1:-}" = soak-rt ]; then
  shift
  exec node dist/bench/soak-rt.js "$@"
fi
exec node dist/bench/main.js "$@"
