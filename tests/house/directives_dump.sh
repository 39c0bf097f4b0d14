#!/bin/sh
# usage: directives_dump.sh SOURCE_DIR: fails if a directive that the installed systemd 252 lists has
# no row in the table. Without that systemd there is nothing to compare with.
systemd=/lib/systemd/systemd
[ -x "$systemd" ] && "$systemd" --version | grep -q '^systemd 252 ' || exit 77
"$systemd" --dump-configuration-items | awk '
  /^\[/ { section = substr($0, 2, length($0) - 2); next }
  /=/   { split($0, parts, "="); print section "." parts[1] }' | sort -u > "${TMPDIR:-/tmp}/dump.$$"
sed -n 's/^{"\([A-Za-z]*\)", "\([A-Za-z0-9]*\)".*/\1.\2/p' "$1/src/init/directives_table.inc" |
  sort -u > "${TMPDIR:-/tmp}/table.$$"
missing=$(comm -23 "${TMPDIR:-/tmp}/dump.$$" "${TMPDIR:-/tmp}/table.$$")
rm -f "${TMPDIR:-/tmp}/dump.$$" "${TMPDIR:-/tmp}/table.$$"
[ -z "$missing" ] && exit 0
echo "no row in src/init/directives_table.inc for:" >&2
echo "$missing" >&2
exit 1
