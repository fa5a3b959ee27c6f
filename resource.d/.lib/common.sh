# shellcheck shell=sh
# Sourced first by every agent. Job: take the action off the end of the arguments (the rest stays in "$@"), refuse
# unknown actions, and give the words of the contract (README.md). Assumes the agent has set $usage. Promises: an
# environment that depends on nothing but PATH, a working directory that pins no file system, standard input closed.

PATH="${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin"
LC_ALL=C
export PATH LC_ALL
unset LANGUAGE
umask 022
me=${0##*/}
run_dir=${HA_RUNDIR:-/run/heartbeat}/agents

# The answer to `status` is all that may go to standard output; every word for people goes to standard error.
info() { echo "INFO: $me: $*" >&2; }
warn() { echo "WARN: $me: $*" >&2; }
# fail CODE TEXT: 1 failed, 2 bad arguments, 5 a program is missing (LSB).
fail() {
  fail_code=$1
  shift
  echo "ERROR: $me: $*" >&2
  exit "$fail_code"
}
bad_arguments() {
  echo "ERROR: $me: $*" >&2
  echo "usage: $me $usage {start|stop|status}" >&2
  exit 2
}
say_running() {
  echo "running${1:+ ($1)}"
  exit 0
}
# The words `not running` come first and unbroken: nothing in the reason can then make it count as running.
say_stopped() {
  echo "not running${1:+ ($1)}"
  exit 3
}
# There, but unfit to serve: a monitor must see it as a failure; after a failed stop it is still there. `stop` clears it away.
say_broken() {
  echo "not running ($1)"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
is_number() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
}

# Agents that have nothing real to look at remember their start in a file under /run, which a reboot empties. Sets state to its
# name, without starting a process.
state_file() {
  state_rest="$me $*" state=''
  while [ -n "$state_rest" ] && [ ${#state} -lt 200 ]; do
    state_next=${state_rest#?}
    case ${state_rest%"$state_next"} in [A-Za-z0-9._-]) state=$state${state_rest%"$state_next"} ;; *) state=${state}_ ;; esac
    state_rest=$state_next
  done
  state=$run_dir/$state
}
remember() {
  mkdir -p "$run_dir" || fail 1 "cannot create $run_dir"
  : >"$1" || fail 1 "cannot write $1"
}

[ $# -gt 0 ] || bad_arguments 'no action given'
# The action is the last argument: all before it are moved behind it, then it is first.
left=$#
while [ "$left" -gt 1 ]; do
  moved=$1
  shift
  set -- "$@" "$moved"
  left=$((left - 1))
done
action=$1
shift
case $action in
start | stop | status) ;;
monitor) action=status ;;
'') bad_arguments 'no action given' ;;
*)
  case " ${more_actions:-} " in
  *" $action "*) ;;
  *) bad_arguments "unknown action '$action'" ;;
  esac
  ;;
esac
# A caller may have used a relative path.
case $lib in /*) ;; *) lib=$PWD/$lib ;; esac
cd / || exit 1
exec </dev/null
