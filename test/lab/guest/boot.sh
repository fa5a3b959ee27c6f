#!/bin/sh
# The rest of a guest's start, in its final root: modules, disks by serial number, addresses, names. What must survive a power
# cut as on a real machine (generation, uuid, logs) lies on the state disk.
PATH=/run/lab:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
value() { sed "s/.*lab\.$1=\([^ ]*\).*/\1/" /proc/cmdline; }
number=$(value number) cache=$(value cache) kernel=$(uname -r)
exec >/dev/console 2>&1
# A guest that does not boot shall say how far it came.
echo 'lab: the root is mounted'
hostname "data-1-$number"
echo "data-1-$number" >/etc/hostname
mkdir -p "/lib/modules/$kernel"
mount --bind "$cache/kernel/lib/modules/$kernel" "/lib/modules/$kernel"
for module in ext4 drbd softdog dm-mod; do modprobe "$module"; done
for disk in /sys/block/vd*; do ln -s "/dev/${disk##*/}" "/dev/lab-$(cat "$disk/serial")"; done
# The replicated disk lies under a table of device-mapper, so that a scenario can make it fail.
DM_DISABLE_UDEV=1 dmsetup create lower --noudevsync --table "0 $(blockdev --getsz /dev/lab-drbd) linear /dev/lab-drbd 0"
ln -s /dev/mapper/lower /dev/lab-lower
mkdir -p /run/state
modprobe ext4
mount -t ext4 -o commit=1 /dev/lab-state /run/state
for directory in /var/lib/heartbeat /var/lib/drbd /var/log; do
  mkdir -p "/run/state$directory" "$directory"
  mount --bind "/run/state$directory" "$directory"
done
chown -R hacluster:haclient /var/lib/heartbeat 2>/dev/null
ip link set lo up
ip addr add "10.0.0.$((number + 6))/24" brd + dev eth0
ip addr add "10.0.10.$((number + 6))/24" brd + dev eth1
ip link set eth0 up
ip link set eth1 up
printf '127.0.0.1 localhost\n10.0.0.7 data-1-1\n10.0.0.8 data-1-2\n' >/etc/hosts
mkdir -p /data /etc/ha.d /run/lock
cp -a /etc/ha.d /run/ha.d.debian
mount -t tmpfs tmpfs /etc/ha.d
dmesg -n 4
: >/run/lab/ready
echo 'lab: ready'
