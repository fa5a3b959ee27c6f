# shellcheck shell=sh
# Who keeps a file system busy. Job: the processes with a working directory, root, program, open file or mapping in it.
# Both path and device must match: by path alone a container's files under the same name would count, by device alone
# (as `fuser -m` does it) a bind mount would name every process of the system. Promises: neither init nor the caller's
# own ancestors are among $holders; those are in $spared.

find_holders() {
  holders='' spared=''
  holder_device=$(timeout 5 stat -c %d "$1" 2>/dev/null) || return 0
  maps_device=$(printf '%02x:%02x' "$((holder_device >> 8 & 0xfff))" "$((holder_device & 0xff | holder_device >> 12 & 0xfff00))")
  find_ancestors
  for found in $(open_in "$1") $(mapped_in "$1"); do
    case " $holders $spared $$ " in *" $found "*) continue ;; esac
    case " 1 $ancestors " in
    *" $found "*) spared="$spared $found" ;;
    *) holders="$holders $found" ;;
    esac
  done
}

open_in() {
  # In -lname patterns these four are special; a mount point may contain them.
  pattern=$(printf '%s' "$1" | sed 's/[][*?\\]/\\&/g')
  find /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe /proc/[0-9]*/fd -maxdepth 1 \
    \( -lname "$pattern" -o -lname "$pattern/*" \) -exec stat -L -c '%d %n' {} + 2>/dev/null |
    while read -r number path; do
      [ "$number" = "$holder_device" ] || continue
      path=${path#/proc/}
      echo "${path%%/*}"
    done
}

mapped_in() {
  grep -s -F " $1/" /proc/[0-9]*/maps | while read -r line; do
    case $line in *" $maps_device "*) ;; *) continue ;; esac
    line=${line#/proc/}
    echo "${line%%/*}"
  done
}

find_ancestors() {
  ancestors='' ancestor=$PPID
  while [ "$ancestor" -gt 1 ]; do
    ancestors="$ancestors $ancestor"
    { read -r stat_line <"/proc/$ancestor/stat"; } 2>/dev/null || return 0
    # PID (COMMAND) STATE PARENT: the command may contain blanks and parentheses.
    stat_line=${stat_line##*) }
    stat_line=${stat_line#* }
    ancestor=${stat_line%% *}
  done
}

describe() {
  words=$({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null | cut -c 1-80)
  [ -n "$words" ] || { read -r words <"/proc/$1/comm"; } 2>/dev/null
  echo "process $1 (${words:-gone})"
}
