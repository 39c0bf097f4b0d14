#!/bin/sh
# What `cmake --install` puts where, for the system and for a prefix of one's own, and what is in the packages.
#   usage: install_test.sh BUILD_DIR     (programs are taken as they are built; nothing is built)
set -eu
build=${1:?usage: install_test.sh BUILD_DIR}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "install_test: $*" >&2; exit 1; }

# The files and links below a folder that are no manual pages of flotilla-doc.
files_of() { (cd "$1" && find . ! -type d | sed 's/^\.//' | grep -v '/share/doc/flotilla-doc/.*\.md$' | LC_ALL=C sort); }
# same WANTED: compares with standard input.
same() { cat >"$work/found"; printf '%s\n' "$1" | diff -u - "$work/found" >&2 || fail "$2: other files than these"; }

init='/usr/bin/flotilla-exec
/usr/bin/flotilla-init
/usr/bin/flotilla-logd
/usr/bin/flotilla-manager
/usr/share/doc/flotilla-init/copyright
/usr/share/man/man8/flotilla-init.8'
fleetd='/etc/fleet/fleet.conf
/usr/bin/fleet-lease
/usr/bin/fleetd
/usr/lib/systemd/system/fleet.service
/usr/lib/systemd/system/fleet.socket
/usr/share/doc/fleetd/copyright
/usr/share/man/man8/fleetd.8'
fleetctl='/usr/bin/fleetctl
/usr/bin/fleetctl-etcd
/usr/share/bash-completion/completions/fleetctl
/usr/share/doc/fleetctl/copyright
/usr/share/man/man1/fleetctl.1
/usr/share/zsh/vendor-completions/_fleetctl'
doc='/usr/share/doc/flotilla-doc/copyright
/usr/share/doc/flotilla-doc/examples/hello.service'

check_component() {
  DESTDIR=$work/$1 cmake --install "$build" --prefix /usr --component "$1" --strip >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "$1: cmake --install failed"; }
  files_of "$work/$1" | same "$2" "$1"
}
check_component flotilla-init "$init"
check_component fleetd "$fleetd"
check_component fleetctl "$fleetctl"
check_component flotilla-doc "$doc"
[ -s "$work/flotilla-doc/usr/share/doc/flotilla-doc/api.md" ] || fail 'flotilla-doc: no api.md'

root=$work/fleetd
grep -qx 'ExecStart=/usr/bin/fleetd' "$root/usr/lib/systemd/system/fleet.service" || fail 'fleet.service: ExecStart='
grep -qx 'ListenStream=/run/fleet.sock' "$root/usr/lib/systemd/system/fleet.socket" || fail 'fleet.socket: ListenStream='
# The sample names only keys that fleetd knows, and everything it says is the default.
sed 's/^#\([a-z_]*=\)/\1/' "$root/etc/fleet/fleet.conf" >"$work/all.conf"
[ "$(grep -c '^[a-z_]*=' "$work/all.conf")" -ge 13 ] || fail 'fleet.conf: keys are missing'
for file in "$root/etc/fleet/fleet.conf" "$work/all.conf"; do
  said=$("$build/bin/fleetd" --config "$file" --check-config 2>&1) || fail "fleet.conf: $said"
  [ "$said" = "$file: the configuration can be used" ] || fail "fleet.conf: $said"
done
grep -q 'complete -F _fleetctl fleetctl' "$work/fleetctl/usr/share/bash-completion/completions/fleetctl" ||
  fail 'the completion for bash is none'
grep -qx '#compdef fleetctl' "$work/fleetctl/usr/share/zsh/vendor-completions/_fleetctl" ||
  fail 'the completion for zsh is none'

# A configuration that is there is kept; a prefix of one's own is told to fleetd.
echo 'verbosity=1' >"$root/etc/fleet/fleet.conf"
DESTDIR=$root cmake --install "$build" --prefix /usr --component fleetd >/dev/null
grep -qx 'verbosity=1' "$root/etc/fleet/fleet.conf" || fail 'fleet.conf was overwritten'
cmake --install "$build" --prefix "$work/own" --component fleetd >/dev/null
grep -qx "ExecStart=$work/own/bin/fleetd --config $work/own/etc/fleet/fleet.conf" \
  "$work/own/lib/systemd/system/fleet.service" || fail 'fleet.service: not of its prefix'

if ! command -v cpack >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo 'install_test: no cpack or no dpkg-deb: the packages were not made'
  exit 0
fi
(cd "$work" && cpack --config "$build/CPackConfig.cmake" -B "$work/packages" \
  -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip >"$work/log" 2>&1) ||
  { cat "$work/log" >&2; fail 'cpack failed'; }
check_package() {
  package=$(echo "$work/packages/$1"_*.deb)
  [ -f "$package" ] || fail "$1: no package"
  dpkg-deb -x "$package" "$work/package-$1"
  files_of "$work/package-$1" | same "$2" "$package"
  [ "$(dpkg-deb -f "$package" Package)" = "$1" ] || fail "$1: another name"
}
check_package flotilla-init "$init"
check_package fleetd "$fleetd"
check_package fleetctl "$fleetctl"
check_package flotilla-doc "$doc"
dpkg-deb -e "$work/packages"/fleetd_*.deb "$work/control"
grep -qx /etc/fleet/fleet.conf "$work/control/conffiles" || fail 'fleetd: fleet.conf is no conffile'
for script in postinst prerm postrm; do
  [ -x "$work/control/$script" ] || fail "fleetd: no $script"
  sh -n "$work/control/$script"
done
[ "$(dpkg-deb -f "$work/packages"/flotilla-doc_*.deb Architecture)" = all ] || fail 'flotilla-doc: Architecture'
