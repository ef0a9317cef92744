#!/usr/bin/env bash
# Real clients against a real server: installs them by their ordinary package managers, then runs flights.ts.
# Ends with a line "N passed, N failed"; exit code 0 only if all passed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if ! command -v kcat >/dev/null || ! /usr/bin/python3 -c 'import kafka' 2>/dev/null; then
  echo "installing kcat and python3-kafka"
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq kcat python3-kafka >/dev/null
fi
(cd "$here" && npm ci --silent --no-audit --no-fund)
exec node "$root/cli/run.mjs" "$here/flights.ts"
