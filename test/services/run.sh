#!/usr/bin/env bash
# Tests against real servers of what Zonewise stands on. Installs what is missing where it may; `run.sh journal` selects
# files by a part of their path. Exit code 0 only if all passed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

# shellcheck source=../install.sh
source "$root/test/install.sh"

mapfile -t files < <(cd "$root" && find test/services -name '*.service.test.ts' | sort | grep -F -- "${1:-}")
if [[ ${#files[@]} -eq 0 ]]; then
  echo "no test matches ${1:-}" >&2
  exit 1
fi
cd "$root"
if [[ ${files[*]} =~ test/services/(zones|cluster)/ && $(id -u) -eq 0 && $(uname) == Linux ]]; then
  need ip iproute2
  need nft nftables
fi
if [[ ${files[*]} == *test/services/journal/* || ${files[*]} == *test/services/cluster/* ]]; then
  need redis-server redis-server
  need openssl openssl
fi
if [[ ${files[*]} == *test/services/nodes/* ]]; then
  need redis-server redis-server
  need kcat kcat
fi
if [[ ${files[*]} == *test/services/store/* || ${files[*]} == *test/services/cluster/* ]]; then
  need_go
  node cli/run.mjs infra/local/build-s3-server.ts
fi
exec node_modules/.bin/node --test --test-timeout=120000 --test-concurrency=2 --test-reporter="${TEST_REPORTER:-dot}" "${files[@]}"
