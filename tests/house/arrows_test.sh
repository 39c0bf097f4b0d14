#!/bin/sh
# The check itself: a tree with an include against the arrows is refused, one without passes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/base" "$work/src/store" "$work/src/init"
echo '#include "base/fd.h"' >"$work/src/store/a.cc"
sh "$here/arrows.sh" "$work"
echo '#include "store/store.h"' >"$work/src/init/b.cc"
if sh "$here/arrows.sh" "$work" >"$work/out"; then
  echo "an include across the fence was not noticed" >&2
  exit 1
fi
grep -q 'src/init/b.cc:1: init/ may not include store/' "$work/out"
rm "$work/src/init/b.cc"
echo '#include <fstream>' >"$work/src/init/c.cc"
echo '#include <fstream>' >"$work/src/init/d_test.cc"
if sh "$here/arrows.sh" "$work" >"$work/out"; then
  echo "a stream in the service manager was not noticed" >&2
  exit 1
fi
grep -q 'src/init/c.cc:1: streams bring the locales' "$work/out"
[ "$(wc -l <"$work/out")" = 1 ]
