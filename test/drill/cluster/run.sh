#!/usr/bin/env bash
# Drills of a real cluster in network namespaces: those that every change must pass, or those named (`run.sh all`).
# Installs what is missing where it may. Exit code 0 only if all passed, or if this machine allows no namespaces.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# shellcheck source=../../install.sh
source "$root/test/install.sh"
cd "$root"
if [[ $(id -u) -ne 0 || $(uname) != Linux ]]; then
  echo "SKIPPED: network namespaces need root on Linux"
  exit 0
fi
need ip iproute2
need nft nftables
need javac default-jdk-headless
need mvn maven
need redis-server redis-server
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then install python3-venv; fi
need_go
node cli/run.mjs infra/local/build-s3-server.ts
exec node cli/run.mjs test/drill/run.ts "${@:-short}"
