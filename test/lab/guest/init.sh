#!/bin/busybox sh
# First program of a guest, in the initramfs: makes the host's file system, read-only over 9p under a layer of memory, the
# root, and becomes busybox init in it. Whatever the guest writes is gone with its power, but for its disks.
/bin/busybox mkdir -p /proc /sys /dev /host /rw /mnt
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo 'lab: the kernel runs'
# In this order: there is nothing here that resolves dependencies. What is built in has no file.
for module in $(cat /modules/order); do
  [ ! -e "/modules/$module.ko" ] || insmod "/modules/$module.ko"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose hostroot /host || exec sh
mount -t tmpfs tmpfs /rw
mkdir /rw/u /rw/w
mount -t overlay -o lowerdir=/host,upperdir=/rw/u,workdir=/rw/w overlay /mnt || exec sh
for each in proc sys dev; do mount --move /$each /mnt/$each; done
mkdir -p /mnt/dev/shm /mnt/dev/pts
mount -t devpts devpts /mnt/dev/pts
for each in run tmp dev/shm; do mount -t tmpfs tmpfs /mnt/$each; done
chmod 1777 /mnt/tmp /mnt/dev/shm
# busybox finds its applet by the name it is called by. systemd's reboot would not work here.
mkdir /mnt/run/lab
cp /bin/busybox /mnt/run/lab/busybox
for name in init reboot poweroff; do ln -s busybox /mnt/run/lab/$name; done
guest=$(sed 's/.*lab\.guest=\([^ ]*\).*/\1/' /mnt/proc/cmdline)
cat >/mnt/etc/inittab <<END
::sysinit:/bin/sh $guest/boot.sh
::respawn:/usr/bin/perl $guest/server.pl cmd
::respawn:/usr/bin/perl $guest/server.pl cli
END
exec chroot /mnt /run/lab/init
