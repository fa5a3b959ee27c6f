# Process 1 of one machine of the namespace lab. Arguments: machine name, lab directory.
# Assumes fresh network, mount, PID, UTS and IPC namespaces and mounts that do not propagate. Promises: nothing of the
# host is written except below the lab directory and /tmp; every orphan is reaped at once (a zombie would look like a
# living daemon to whoever polls its pid); the machine ends when standard input does, so it cannot outlive its lab.
set -eu
name=$1
lab=$2
state=$lab/$name
root=$state/root

# /proc is still the host's here, so this is the pid by which the host knows us.
read -r pid _ </proc/self/stat
echo "pid $pid"
read -r _ # The lab has plugged in the network cables.

hostname "$name"
mount -t tmpfs -o mode=755,size=256m lab "$root"
cd "$root"
mkdir -p .etc .old etc proc sys run/lock var/lib/heartbeat var/log var/tmp var/cache var/spool data mnt tmp
chmod 1777 tmp var/tmp
# Everything else of the host is seen, not copied: the same programs on both machines.
for path in /*; do
  if [ -L "$path" ]; then
    cp -P "$path" ".$path"
    continue
  fi
  [ -d "$path" ] && [ ! -e ".$path" ] || continue
  case $path in /lost+found | /.*) continue ;; esac
  mkdir ".$path"
  mount --rbind "$path" ".$path"
done
mount --bind /tmp tmp
mount -o bind,ro /etc .etc
mount -t proc proc proc
mount -t sysfs sys sys
# A private /etc of links: own files in front, the host's behind, read-only.
find /etc -mindepth 1 -maxdepth 1 ! -name ha.d ! -name hosts ! -name hostname -printf '/.etc/%f\0' | xargs -0 ln -s -t etc
cp "$lab/hosts" etc/hosts
echo "$name" >etc/hostname
mkdir etc/ha.d
mount --bind "$state/ha.d" etc/ha.d
mount --bind "$state/heartbeat" var/lib/heartbeat
mount --bind "$state/log" var/log
ln -s /run var/run
ln -s /run/lock var/lock
pivot_root . .old
cd /
umount -l /.old
export PATH HOME=/root LC_ALL=C.UTF-8
echo ready

# The command server. One line is one shell command; the extra parentheses make each an orphan, so process 1 reaps it
# and no command waits for another. A line that begins with ! runs in the server itself: `kill -STOP -1` spares exactly
# the caller and process 1.
serve() {
  set +eu
  while IFS= read -r line; do
    case $line in
      !*) eval "${line#?}" ;;
      *) (eval "$line" &) ;;
    esac
  done
}
exec 3<&0
serve <&3 &
server=$!
exec 0</dev/null 3<&-
while kill -0 "$server" 2>/dev/null; do wait "$server" || :; done
