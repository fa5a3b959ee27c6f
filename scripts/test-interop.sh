#!/bin/bash
# `npm run test:interop [-- NAME... | --list | --lanes N]`: our daemon and Debian's heartbeat 3.0.6 in one cluster, case
# by case; see docs/interop.md. Does its own set-up: names and installs the Debian packages it needs; none of their
# services is started. The last line is the counts.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run interop >&2
exec node dist/test/interop/main.js "$@"
