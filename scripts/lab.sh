#!/bin/bash
# `npm run lab -- COMMAND` (main.ts lists them) and `npm run test:lab`: two QEMU guests (no KVM needed) with
# Debian's kernel, real DRBD and MariaDB. Does its own set-up: Debian packages; the kernel's package is downloaded and
# unpacked, never installed; an initramfs; a data directory. All of that is kept in $SYSTOLE_LAB_CACHE and made once.
set -euo pipefail
cd "$(dirname "$0")/.."
export SYSTOLE_LAB_CACHE="${SYSTOLE_LAB_CACHE:-/var/tmp/systole-vm-lab}"
[ "${SYSTOLE_LAB_SETUP:-yes}" = no ] || bash scripts/setup.sh run lab

# Why no lab can be made on this machine; nothing: it can.
obstacle() {
  local megabytes
  [ "$(id -u)" = 0 ] || { echo 'not root (a network namespace and tap devices are needed)' && return; }
  command -v qemu-system-x86_64 >/dev/null || { echo 'qemu-system-x86_64 is not installed' && return; }
  unshare --net ip link add br0 type bridge 2>/dev/null || { echo 'no network namespace, or no bridge in it, can be made' && return; }
  unshare --net ip tuntap add dev tap0 mode tap 2>/dev/null || { echo 'no tap device can be made (/dev/net/tun)' && return; }
  megabytes=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
  [ "$megabytes" -ge 1800 ] || echo "only $megabytes MB of memory are free, 1800 are needed"
}
reason=$(obstacle)
if [ -n "$reason" ]; then
  # Tests that cannot run are counted as skipped, never passed over in silence.
  [ "${1:-}" != test ] || SYSTOLE_LAB_OBSTACLE=$reason exec node dist/test/lab/main.js "$@"
  echo "lab: $reason" >&2
  exit 1
fi
mkdir -p "$SYSTOLE_LAB_CACHE"

kernel() {
  local cache=$SYSTOLE_LAB_CACHE package version
  [ ! -e "$cache/kernel/done" ] || return 0
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)$/\1/p' | head -1)
  if [ -z "$package" ]; then
    apt-get update -qq
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)$/\1/p' | head -1)
  fi
  echo "lab: fetching $package"
  (cd "$cache" && compgen -G "${package}_*.deb" >/dev/null || apt-get download -qq "$package" 2>/dev/null)
  rm -rf "$cache/kernel"
  dpkg-deb -x "$cache/$package"_*.deb "$cache/kernel"
  version=${package#linux-image-}
  [ -e "$cache/kernel/lib/modules/$version/modules.dep" ] || depmod -b "$cache/kernel" "$version"
  echo "$version" >"$cache/kernel/done"
}

initramfs() {
  local cache=$SYSTOLE_LAB_CACHE version root module path
  version=$(cat "$cache/kernel/done")
  if [ "$cache/initrd" -nt test/lab/guest/init.sh ] && [ "$cache/initrd" -nt "$cache/kernel/done" ] && [ "$cache/initrd" -nt scripts/lab.sh ]; then return; fi
  echo "lab: packing the initramfs"
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/modules"
  cp /usr/bin/busybox "$root/bin/busybox" 2>/dev/null || cp /bin/busybox "$root/bin/busybox"
  install -m 755 test/lab/guest/init.sh "$root/init"
  # Dependencies first; built-in ones have no file and are passed over.
  for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net \
    virtio_blk virtio_console rng-core virtio-rng netfs fscache 9pnet 9p 9pnet_virtio overlay; do
    echo "$module" >>"$root/modules/order"
    path=$(find "$cache/kernel/lib/modules/$version" -name "$module.ko" | head -1)
    [ -z "$path" ] || cp "$path" "$root/modules/"
  done
  (cd "$root" && find . | cpio -o -H newc --quiet) >"$cache/initrd.new"
  mv "$cache/initrd.new" "$cache/initrd"
  rm -rf "$root"
}

# A MariaDB data directory with a table and a user for the writer; unpacked in a guest in a few seconds, made there in a minute.
database() {
  local cache=$SYSTOLE_LAB_CACHE work
  [ ! -e "$cache/mysql.tar" ] || return 0
  echo "lab: making a data directory"
  work=$(mktemp -d)
  mariadb-install-db --no-defaults --user=root --datadir="$work/mysql" --auth-root-authentication-method=normal \
    --skip-test-db --innodb-log-file-size=16M --innodb-buffer-pool-size=32M >/dev/null 2>&1
  mariadbd --no-defaults --user=root --datadir="$work/mysql" --innodb-log-file-size=16M --bootstrap >/dev/null 2>&1 <<END
FLUSH PRIVILEGES;
CREATE USER 'demo'@'%' IDENTIFIED BY 'demo';
CREATE DATABASE demo;
CREATE TABLE demo.entries (id BIGINT PRIMARY KEY, at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6)) ENGINE=InnoDB;
GRANT ALL ON demo.* TO 'demo'@'%';
END
  tar -C "$work" -cf "$cache/mysql.tar.new" mysql
  mv "$cache/mysql.tar.new" "$cache/mysql.tar"
  rm -rf "$work"
}

kernel
initramfs
database
exec node dist/test/lab/main.js "$@"
