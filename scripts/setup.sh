#!/bin/bash
# Brings a fresh clone to a built checkout: node packages, and, unless --no-install or not root, the Debian packages
# named below (their names are printed before they are installed). Touches no service or file of the host beyond that.
# Usage: scripts/setup.sh [--no-install] [GROUP...]   groups: run (default), interop, bench, lab
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A packages=(
  [run]="iproute2 iputils-arping iputils-ping e2fsprogs mount psmisc util-linux procps mariadb-server-core mariadb-client-core nftables"
  [interop]="heartbeat resource-agents netbase net-tools kmod nftables tcpdump faketime"
  [bench]="heartbeat resource-agents netbase net-tools kmod keepalived"
  [lab]="qemu-system-x86 busybox-static cpio kmod drbd-utils dmsetup"
)
install=yes
groups=()
for word in "$@"; do
  if [ "$word" = --no-install ]; then install=no; else groups+=("$word"); fi
done
[ ${#groups[@]} -gt 0 ] || groups=(run)

# By content, not by time: a checkout gives every file a new time.
lock=$(sha256sum package-lock.json | cut -c1-16)
if [ ! -d node_modules ] || { [ ! -L node_modules ] && [ "$(cat node_modules/.systole-lock 2>/dev/null)" != "$lock" ]; }; then
  echo "setup: npm ci --ignore-scripts"
  npm ci --ignore-scripts --no-audit --no-fund >/dev/null
  echo "$lock" >node_modules/.systole-lock
fi
node scripts/build.mjs

missing=()
for group in "${groups[@]}"; do
  for package in ${packages[$group]:?unknown group $group}; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$install" = no ] || [ "$(id -u)" != 0 ]; then
  echo "setup: not installed: ${missing[*]}"
  exit 0
fi
echo "setup: installing Debian packages: ${missing[*]}"
# No package may start a service: policy-rc.d answers 101 (not allowed) for the time of the installation only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
