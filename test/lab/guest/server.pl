# Runs commands for the host over a virtio-serial port: this goes on working when every network link is cut. A request is a line
# `ID TIMEOUT_S HEX(command)`, an answer a line `ID STATUS HEX(output) HEX(errors)`. Commands run side by side. Output goes to
# files, not pipes: a daemon that a command leaves behind must not keep the call open. While nobody is connected at the host's
# side a read returns nothing at once, hence the sleep. `@look` is answered without starting anything, so that looking all the
# time costs an emulated processor little.
use strict;
use warnings;
use POSIX ();

my $name = shift;
my $port;
until ($port) {
  for (glob '/sys/class/virtio-ports/*/name') {
    open my $file, '<', $_ or next;
    chomp(my $found = <$file> // '');
    $port = (split m{/})[4] if $found eq $name;
  }
  select undef, undef, undef, 0.1 unless $port;
}
open my $io, '+<', "/dev/$port" or die "$port: $!";
binmode $io;
$SIG{PIPE} = 'IGNORE';
my ($pending, %running) = ('');

while (1) {
  my $ready = '';
  vec($ready, fileno $io, 1) = 1;
  my $wait = %running ? 0.02 : 0.5;
  if (select $ready, undef, undef, $wait) {
    my $got = sysread $io, my $chunk, 65536;
    if ($got) { $pending .= $chunk }
    else { select undef, undef, undef, 0.05 }
  }
  while ($pending =~ s/^([^\n]*)\n//) {
    my ($id, $timeout, $hex) = split ' ', $1;
    start($id, $timeout, pack 'H*', $hex) if defined $hex;
  }
  while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) { finish($pid, $?) }
  for my $pid (keys %running) {
    next if time < $running{$pid}{end};
    kill 'KILL', -$pid;
  }
}

sub start {
  my ($id, $timeout, $command) = @_;
  return answer($id, 0, look(), '') if $command eq '@look';
  my $out = "/run/lab/out-$name-$id";
  my $pid = fork // die "fork: $!";
  if ($pid == 0) {
    POSIX::setsid();
    close $io;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$out.o";
    open STDERR, '>', "$out.e";
    chdir '/';
    $ENV{PATH} = '/run/lab:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    $ENV{LC_ALL} = 'C.UTF-8';
    exec {'/bin/sh'} 'sh', '-c', $command or POSIX::_exit(127);
  }
  $running{$pid} = {id => $id, out => $out, end => time + $timeout};
}

sub finish {
  my ($pid, $status) = @_;
  my $job = delete $running{$pid} or return;
  my $code = $status & 127 ? 128 + ($status & 127) : $status >> 8;
  answer($job->{id}, $code, map { text("$job->{out}.$_") } qw(o e));
}

sub answer {
  my ($id, $code, @texts) = @_;
  my $line = join(' ', $id, $code, map { unpack('H*', $_) || '-' } @texts) . "\n";
  while (length $line) {
    my $written = syswrite $io, $line;
    if ($written) { substr $line, 0, $written, '' }
    else { select undef, undef, undef, 0.05 }
  }
}

# What DRBD says, which of its devices are mounted, which addresses are this node's.
sub look {
  my $found = lines('/proc/drbd') . join '', grep { m{^/dev/drbd} } split /^/, lines('/proc/mounts');
  my $last = '';
  for (split /^/, lines('/proc/net/fib_trie')) {
    $last = $1 if /-- ([\d.]+)/;
    $found .= "local $last/\n" if m{/32 host LOCAL};
  }
  return $found;
}

sub lines {
  open my $file, '<', $_[0] or return '';
  local $/;
  return <$file> // '';
}

sub text {
  my ($path) = @_;
  open my $file, '<', $path or return '';
  binmode $file;
  read $file, my $found, 1_000_000;
  unlink $path;
  return $found // '';
}
