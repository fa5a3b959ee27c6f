# listening.pl SOCKET PID SECONDS
#
# Job: wait until somebody listens on the Unix socket SOCKET, or process PID has ended. One process that sleeps: a shell that
# starts a `sleep` for every look takes half of a small processor from the server that it waits for. The kernel's table
# is read, for a connection that says nothing would stand in the server's error log; and the file of a socket may
# be left from a server that was killed. Plain Perl without modules, as in neighbour.pl.
# Prints the whole seconds that it waited. Exit: 0 it listens; 1 the process has ended; 2 neither within SECONDS.

my ($path, $pid, $seconds) = @ARGV;
my $waited = 0;
while ($waited < $seconds) {
  finish(0) if listens();
  finish(1) if has_ended();
  # A tenth of what it waited already: the server needs the processor more than its end must be known at once.
  my $pause = $waited < 0.2 ? 0.02 : $waited < 2 ? $waited / 10 : 0.2;
  select(undef, undef, undef, $pause);
  $waited += $pause;
}
finish(2);

sub finish {
  print int($waited), "\n";
  exit $_[0];
}

sub listens {
  # Without the table only an attempt can tell.
  open(my $table, '<', '/proc/net/unix') or return connects();
  while (my $line = <$table>) {
    # Number, references, protocol, flags (10000: it accepts connections), type, state, inode, path.
    my ($flags, $name) = $line =~ /^\S+ \S+ \S+ ([0-9A-F]{8}) \S+ \S+ +\d+ (.+)$/ or next;
    return 1 if $name eq $path && hex($flags) & 0x10000;
  }
  return 0;
}

sub connects {
  socket(my $wire, 1, 1, 0) or return 0;
  return connect($wire, pack('S a108', 1, $path));
}

# Its parent, the agent, has not asked for its end: then it is there, but only in name.
sub has_ended {
  open(my $stat, '<', "/proc/$pid/stat") or return 1;
  my $line = <$stat> // return 1;
  return $line =~ /.*\) [ZX]/;
}
