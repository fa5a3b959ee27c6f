#!/bin/bash
# `npm run demo`: does its own set-up, then shows the main job. Options: --json --no-install --embedded --daemon KIND.
# Packages that would be installed are named first; without them, or when they cannot be had, the embedded mode runs.
set -euo pipefail
cd "$(dirname "$0")/.."
setup=()
groups=(run)
for word in "$@"; do
  case $word in
    --no-install) setup=(--no-install) ;;
    real) groups+=(interop) ;;
  esac
done
# Standard output belongs to the demo (one JSON object with --json).
if ! bash scripts/setup.sh "${setup[@]}" "${groups[@]}" 1>&2; then
  echo "demo: the packages could not be installed; without them the embedded mode runs" >&2
  bash scripts/setup.sh --no-install "${groups[@]}" 1>&2
fi
exec node dist/src/demo/main.js "$@"
