# What the scripts agree on: where things are, and which programs they use. Sourced.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
LIBRARY=${LIBRARY-$TARGET/release/libgreenpatch.so}
# python3-mysqldb belongs to Debian's own interpreter, not to one that comes first in PATH.
PYTHON=/usr/bin/python3

[[ $PATH == *"$HOME/.cargo/bin"* || ! -d $HOME/.cargo/bin ]] || PATH=$PATH:$HOME/.cargo/bin
# Daemons and their helpers are installed here; an ordinary user's PATH lacks it.
PATH=$PATH:/usr/sbin:/sbin
export PATH

# The scripts themselves, and the compilers and servers that they start, run natively.
unset LD_PRELOAD
while read -r name; do unset "$name"; done < <(compgen -e | grep '^GREENPATCH' || true)

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
