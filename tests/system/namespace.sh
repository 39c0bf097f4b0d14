#!/bin/sh
# Runs a manager as PID 1 of a machine of its own, made of namespaces: nothing of the host's /run,
# /dev, /tmp, cgroups or network is seen or touched, and what is written to /etc and /var is gone
# with it. Needs root, a v2 cgroup tree and overlayfs.
#
# usage: namespace.sh UNIT_DIR PID_FILE CGROUP PROGRAM [ARGUMENT...]
# UNIT_DIR    the only units there are
# PID_FILE    gets the pid of PID 1 as the host sees it: enter with nsenter -t PID -a, end with kill -9
# CGROUP      a directory of the v2 tree to be the machine's root; made here, removed by the caller
# NAMESPACE_UNIT_PATH in the environment beats UNIT_DIR as the path of units.
# Everything the program needs must be visible below UNIT_DIR's parent, /usr, or the tree it was built in.
set -e
units=$1 pid_file=$2 cgroup=$3
shift 3
if [ -z "$NAMESPACE_INSIDE" ]; then
  mkdir -p "$cgroup"
  echo $$ > "$cgroup/cgroup.procs"
  NAMESPACE_INSIDE=1 exec unshare --fork --kill-child --pid --mount --cgroup --uts --ipc --net \
    "$0" "$units" "$pid_file" "$cgroup" "$@"
fi

read -r pid _ < /proc/self/stat # the host's /proc still
echo "$pid" > "$pid_file"
mount --make-rprivate /
stage=/mnt
mount -t tmpfs -o mode=755 tmpfs $stage

# The folders that are hidden below and must be seen again: the units', and the program's.
mkdir $stage/units $stage/program
mount --bind "$units" $stage/units
program=$(dirname "$1")
mount --bind "$program" $stage/program

mount -t proc -o nosuid,nodev,noexec proc /proc
umount -R /sys/fs/cgroup 2> /dev/null || true
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys
mount -t cgroup2 -o rw,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup

mkdir $stage/dev
mount -t tmpfs -o mode=755,nosuid tmpfs $stage/dev
for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
  mknod -m 666 "$stage/dev/${device% *}" c 1 "${device#* }"
done
mknod -m 666 $stage/dev/tty c 5 0
mkdir $stage/dev/pts $stage/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts $stage/dev/pts
ln -s pts/ptmx $stage/dev/ptmx
ln -s /proc/self/fd $stage/dev/fd
ln -s fd/0 $stage/dev/stdin
ln -s fd/1 $stage/dev/stdout
ln -s fd/2 $stage/dev/stderr
touch $stage/dev/console
mount --bind /dev/null $stage/dev/console
mount --rbind $stage/dev /dev

mkdir $stage/layers
mount -t tmpfs -o mode=755 tmpfs $stage/layers
for folder in etc var; do
  mkdir $stage/layers/$folder $stage/layers/$folder.work
  mount -t overlay -o "lowerdir=/$folder,upperdir=$stage/layers/$folder,workdir=$stage/layers/$folder.work" \
    overlay /$folder
done
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /tmp
mkdir -p /run/lock "$units" "$program"
mount --bind $stage/units "$units"
mountpoint -q "$program" || [ -x "$1" ] || mount --bind $stage/program "$program"
cd /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  container=flotilla-test SYSTEMD_UNIT_PATH="${NAMESPACE_UNIT_PATH:-$units}" "$@"
