#!/bin/bash
# `npm test`: unit, property, transcript, simulation, resource-contract and namespace tests. Does its own set-up.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh run
exec node scripts/run-jest.mjs unit/ property/ scenario/ sim/ resource/ namespace/ "$@"
