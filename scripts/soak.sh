#!/bin/bash
# `npm run soak -- --minutes N [--seed S]`: random faults in the lab of two guests, from a seed (test/lab/soak.ts, docs/drbd.md).
set -euo pipefail
cd "$(dirname "$0")/.."
exec bash scripts/lab.sh soak "$@"
