#!/bin/bash
# `npm run verify`: types, lint, architecture, unit, property and transcript tests, 200 seeds. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
node scripts/build.mjs
npx --no-install biome ci --error-on-warnings .
node scripts/lint-deps.mjs
SEEDS="${SEEDS:-200}" node scripts/run-jest.mjs unit/ property/ scenario/ sim/
