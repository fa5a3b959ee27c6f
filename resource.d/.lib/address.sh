# shellcheck shell=sh
# The service address: what IPaddr, IPaddr2, IPv6addr and SendArp share. Assumes common.sh was sourced. Reads one word
# ADDRESS[/MASK[/INTERFACE[:LABEL]][/BROADCAST]]; answers from what the kernel shows, never from memory.
# Promises: a start that succeeds has asked the network first (SYSTOLE_DAD_MS milliseconds, 0 = do not ask) and has told
# it afterwards (of an address that is there already it tells only); a stop removes this address and no other.

dad_ms=${SYSTOLE_DAD_MS:-15}

# Sets address bits interface label broadcast family; refuses what it cannot read.
parse_address() {
  # haresources splits at `::`, so an IPv6 address arrives in pieces.
  word=$1
  shift
  for piece; do word=$word::$piece; done
  is_number "$dad_ms" || bad_arguments "SYSTOLE_DAD_MS is '$dad_ms', not a number of milliseconds"
  address=${word%%/*} bits='' interface='' label='' broadcast='' family=4
  case $address in *:*) family=6 ;; esac
  old_ifs=$IFS
  IFS=/
  set -f
  # shellcheck disable=SC2086
  set -- $word
  set +f
  IFS=$old_ifs
  [ $# -le 4 ] || bad_arguments "too many parts in '$word'"
  case $family in
  4) is_ipv4 "$address" || bad_arguments "'$address' is not an IPv4 address" ;;
  6) is_ipv6 "$address" || bad_arguments "'$address' is not an IPv6 address" ;;
  esac
  parse_mask "${2-}"
  case ${3-} in
  [0-9]*.*.*) broadcast=$3 ;;
  *:*) interface=${3%%:*} label=$3 ;;
  *) interface=${3-} ;;
  esac
  [ $# -lt 4 ] || broadcast=$4
  [ -z "$broadcast" ] || is_ipv4 "$broadcast" || bad_arguments "'$broadcast' is not a broadcast address"
  [ ${#interface} -le 15 ] || bad_arguments "'$interface' is not an interface name"
  [ ${#label} -le 15 ] || bad_arguments "label '$label' is longer than 15 characters"
  case $interface$label in *[!A-Za-z0-9._:@-]* | -*) bad_arguments "'${label:-$interface}' is not an interface name" ;; esac
}

is_ipv4() {
  case $1 in '' | *[!0-9.]* | .* | *. | *..*) return 1 ;; esac
  old_ifs=$IFS
  IFS=.
  # shellcheck disable=SC2086
  set -- $1
  IFS=$old_ifs
  [ $# = 4 ] || return 1
  for octet; do
    # A leading zero would be octal to some programs and decimal to others.
    case $octet in 0?* | ????*) return 1 ;; esac
    [ "$octet" -le 255 ] || return 1
  done
}

is_ipv6() {
  case $1 in *[!0-9A-Fa-f:.]* | *:::* | *::*::* | *[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]*) return 1 ;; esac
  # The kernel is the judge of the rest.
  ip -6 addr show to "$1" >/dev/null 2>&1
}

parse_mask() {
  case $1 in
  '') return ;;
  *.*)
    is_ipv4 "$1" || bad_arguments "'$1' is not a netmask"
    bits=$(mask_bits "$1") || bad_arguments "'$1' is not a netmask"
    return
    ;;
  esac
  is_number "$1" && [ ${#1} -le 3 ] && [ "$1" -le $((family == 6 ? 128 : 32)) ] || bad_arguments "'$1' is not a netmask"
  bits=$1
}

mask_bits() {
  mask_sum=0 mask_open=yes
  old_ifs=$IFS
  IFS=.
  # shellcheck disable=SC2086
  set -- $1
  IFS=$old_ifs
  for octet; do
    [ "$mask_open" = yes ] || [ "$octet" = 0 ] || return 1
    case $octet in
    255) octet_bits=8 ;; 254) octet_bits=7 ;; 252) octet_bits=6 ;; 248) octet_bits=5 ;; 240) octet_bits=4 ;;
    224) octet_bits=3 ;; 192) octet_bits=2 ;; 128) octet_bits=1 ;; 0) octet_bits=0 ;; *) return 1 ;;
    esac
    [ "$octet_bits" = 8 ] || mask_open=no
    mask_sum=$((mask_sum + octet_bits))
  done
  echo "$mask_sum"
}

# Reads `ip addr show` output: where the address is, and what is known of the wanted interface.
# Sets found_on found_bits found_secondary found_flags; has_interface flags labels.
# An address on lo is another thing (LVS real servers) unless lo is what was asked for.
look() {
  look_text=$(ip "$@" 2>/dev/null)
  look_code=$?
  read_look
}

read_look() {
  found_on='' found_bits='' found_secondary='' found_flags='' has_interface='' flags='' labels=' '
  while read -r kind second third rest; do
    case $kind in
    [0-9]*:)
      current=${second%:}
      current=${current%%@*}
      current_flags=$third
      [ "$current" != "$interface" ] || has_interface=yes flags=$third
      ;;
    inet)
      labels="$labels${rest##* } "
      [ "$family" = 4 ] && [ "${second%%/*}" = "$address" ] && note_found "$second" "$rest"
      ;;
    inet6)
      # `ip ... to ADDRESS` shows this address only, however it is spelt.
      [ "$family" = 6 ] && [ "$filtered" = yes ] && note_found "$second" "$rest"
      ;;
    esac
  done <<END
$look_text
END
}

note_found() {
  if [ "$current" = lo ] && [ "$interface" != lo ]; then return; fi
  # On two interfaces at once: the wanted one counts.
  if [ -n "$found_on" ] && [ "$current" != "$interface" ]; then return; fi
  found_on=$current found_flags=$current_flags found_bits=${1#*/} found_secondary=''
  case $2 in *secondary*) found_secondary=yes ;; esac
}

# Gives the truth or does not come back: an `ip` that failed shows no address, and that must not pass for a stop.
look_for_address() {
  filtered=yes
  look "-$family" addr show to "$address"
  [ "$look_code" = 0 ] || fail 4 "\`ip addr show\` failed: cannot tell whether $address is here"
}

is_up() {
  case $1 in *[\<,]UP[,\>]*) ;; *) return 1 ;; esac
}
# Sets note; a command substitution would cost a process.
carrier_note() {
  note=''
  case $1 in *NO-CARRIER*) note=', but it has no carrier' ;; esac
}

status_address() {
  look_for_address
  [ -n "$found_on" ] || say_stopped "$address is on no interface"
  is_up "$found_flags" || say_broken "$address is on $found_on, which is down"
  carrier_note "$found_flags"
  # A pulled cable or a dead switch is ipfail's business: both nodes may see it, and moving then helps nobody.
  [ -z "$note" ] || [ "${SYSTOLE_CARRIER:-no}" = no ] || say_broken "$address is on $found_on, which has no carrier"
  if [ -n "$interface" ] && [ "$interface" != "$found_on" ]; then note=", not on $interface as configured"; fi
  say_running "$address on $found_on$note"
}

stop_address() {
  look_for_address
  attempts=3
  while [ "$attempts" -gt 0 ]; do
    [ -n "$found_on" ] || return 0
    delete_address
    attempts=$((attempts - 1))
  done
  [ -n "$found_on" ] || return 0
  fail 1 "$address is still on $found_on"
}

# Removing the first address of a network removes its secondaries too, unless the kernel is told to promote one.
delete_address() {
  promote=/proc/sys/net/ipv4/conf/$found_on/promote_secondaries before=''
  if [ "$family" = 4 ] && [ -z "$found_secondary" ]; then
    # A byte-wise read of a sysctl ends without the newline, hence with status 1, and has the value all the same.
    { read -r before <"$promote"; } 2>/dev/null
    if [ "$before" = 0 ] && ! { echo 1 >"$promote"; } 2>/dev/null; then
      case $(ip -4 -o addr show dev "$found_on" secondary) in
      ?*) fail 1 "cannot remove $address alone: other addresses of $found_on depend on it and $promote cannot be written" ;;
      esac
    fi
  fi
  from=$found_on
  # Removed and looked for in one process: a service that moves waits for this.
  look_text=$(
    ip "-$family" -batch - <<END
addr del $address/$found_bits dev $found_on
addr show to $address
END
  )
  if [ $? = 0 ]; then
    info "removed $address from $from"
    filtered=yes
    read_look
  else
    look_for_address
  fi
  [ "$before" != 0 ] || { echo 0 >"$promote"; } 2>/dev/null
}

# start_address LABELLED: IPaddr has always shown its address as eth0:0; scripts and people look for that.
start_address() {
  if [ "$family" = 6 ]; then
    look_for_address
  else
    filtered=no
    look addr show
  fi
  if [ -n "$found_on" ]; then already_there; fi
  [ -n "$interface" ] && [ -n "$bits" ] || choose_by_route
  check_interface
  [ "$family" = 6 ] || choose_label "$1"
  add_address
}

already_there() {
  [ -z "$interface" ] || [ "$interface" = "$found_on" ] || fail 1 "$address is already on $found_on, not on $interface"
  is_up "$found_flags" || fail 1 "$address is on $found_on, which is down"
  [ -z "$bits" ] || [ "$bits" = "$found_bits" ] || warn "$address is on $found_on with mask $found_bits, not $bits"
  info "$address is already on $found_on"
  # After two owners the network may still send clients to the one that let go.
  case $found_flags in
  *LOOPBACK* | *NOARP*) ;;
  *) ! have perl || perl "$lib/neighbour.pl" "$address" "$found_on" 0 1 || warn "cannot announce $address on $found_on" ;;
  esac
  exit 0
}

# The most specific route to the address names interface and mask; the default route can only name the interface.
choose_by_route() {
  best=-1 best_interface='' best_metric=0 gateway_interface=''
  if [ "$interface" = lo ]; then
    bits=${bits:-$((family == 6 ? 128 : 32))}
    return
  fi
  while read -r network rest; do
    route_interface=${rest#*dev } metric=0
    route_interface=${route_interface%% *}
    case $rest in *metric\ *) metric=${rest#*metric } metric=${metric%% *} ;; esac
    [ -z "$interface" ] || [ "$interface" = "$route_interface" ] || continue
    case $network in
    default)
      gateway_interface=${gateway_interface:-$route_interface}
      continue
      ;;
    *[!0-9a-fA-F:./]* | '') continue ;;
    */*) prefix=${network#*/} ;;
    *) continue ;;
    esac
    if [ "$prefix" -gt "$best" ] || { [ "$prefix" = "$best" ] && [ "$metric" -lt "$best_metric" ]; }; then
      best=$prefix best_metric=$metric best_interface=$route_interface
    fi
  done <<END
$(ip "-$family" -o route show match "$address")
END
  if [ -n "$best_interface" ]; then
    interface=$best_interface bits=${bits:-$best}
  elif [ -n "$gateway_interface" ] && [ -n "$bits" ]; then
    interface=$gateway_interface
  else
    fail 1 "no interface${interface:+ named $interface} has a network that contains $address;" \
      "write it as $address/BITS/INTERFACE"
  fi
}

check_interface() {
  filtered=no
  if [ "$has_interface" != yes ]; then look addr show dev "$interface"; fi
  [ "$has_interface" = yes ] || fail 1 "there is no interface $interface"
  is_up "$flags" || fail 1 "$interface is down"
  carrier_note "$flags"
  [ -z "$note" ] || warn "$address goes to $interface$note"
}

choose_label() {
  [ -z "$label" ] && [ "$1" = labelled ] || return 0
  number=0
  while :; do
    case $labels in
    *" $interface:$number "*) number=$((number + 1)) ;;
    *) break ;;
    esac
  done
  label=$interface:$number
  # The kernel has 15 characters for it; without a label the address works as well.
  [ ${#label} -le 15 ] || label=''
}

add_address() {
  set -- ip "-$family" addr add "$address/$bits"
  if [ "$family" = 6 ]; then
    # The kernel's own duplicate detection takes one to two seconds; ours has been done by then.
    set -- "$@" dev "$interface" nodad
  else
    if [ -n "$broadcast" ]; then set -- "$@" broadcast "$broadcast"; elif [ "$bits" -le 30 ]; then set -- "$@" broadcast +; fi
    set -- "$@" dev "$interface"
    [ -z "$label" ] || set -- "$@" label "$label"
  fi
  case $flags in
  # Nobody can be asked or told on a loopback or point-to-point interface.
  *LOOPBACK* | *NOARP*) "$@" >&2 || fail 1 "cannot add $address to $interface" ;;
  *) ask_add_tell "$@" ;;
  esac
  info "added $address/$bits to $interface"
}

ask_add_tell() {
  if ! have perl; then
    warn "without perl a duplicate of $address cannot be detected and the network is not told of the move"
    "$@" >&2 || fail 1 "cannot add $address to $interface"
    return
  fi
  taken_by=$(perl "$lib/neighbour.pl" "$address" "$interface" "$dad_ms" 1 "$@")
  case $? in
  0) ;;
  9) fail 1 "$address is already used on the network of $interface by the machine with MAC address $taken_by" ;;
  *) fail 1 "cannot add $address to $interface" ;;
  esac
}

address_agent() {
  address_kind=$1
  shift
  [ $# -gt 0 ] || bad_arguments 'no address given'
  parse_address "$@"
  case $action in
  start) start_address "$address_kind" ;;
  stop) stop_address ;;
  status) status_address ;;
  esac
}
