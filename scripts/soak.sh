#!/bin/bash
# `npm run soak -- --minutes N [--seed S] [--stonith]`: random faults in the lab of two guests, from a seed; with --stonith each node
# may shoot the other, and there are partitions and long pauses too (test/lab/soak.ts, docs/drbd.md).
set -euo pipefail
cd "$(dirname "$0")/.."
exec bash scripts/lab.sh soak "$@"
