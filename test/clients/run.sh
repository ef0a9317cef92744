#!/usr/bin/env bash
# Real clients against a real server: installs them by their ordinary package managers, then runs flights.ts.
# `--cluster`: against three processes on Redis and an S3 server instead of one process.
# Ends with a line "N passed, N failed"; exit code 0 only if all passed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=../install.sh
source "$root/test/install.sh"
need kcat kcat
if ! /usr/bin/python3 -c 'import kafka' 2>/dev/null; then install python3-kafka; fi
if [[ ${1:-} == --cluster ]]; then
  need redis-server redis-server
  need_go
  node "$root/cli/run.mjs" infra/local/build-s3-server.ts
fi
(cd "$here" && npm ci --silent --no-audit --no-fund)
exec node "$root/cli/run.mjs" "$here/flights.ts" "$@"
