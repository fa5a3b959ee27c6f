#!/bin/bash
# `npm run bench [-- --rounds N] [--only NAME]`: see bench/main.ts. Does its own set-up: names and installs the Debian
# packages it compares with (heartbeat, keepalived); none of their services is started.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run bench >&2
exec node dist/bench/main.js "$@"
