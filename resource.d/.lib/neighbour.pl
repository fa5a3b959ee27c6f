# neighbour.pl ADDRESS INTERFACE PROBE_MS ANNOUNCE [ip -FAMILY WORD...]
#
# Job: ask the network whether somebody else has ADDRESS, run the `ip` command (which adds it) if nobody answered, then tell
# the network that it is here. One process for all three, because an address move has 40 ms; plain Perl without modules,
# not even strict and warnings (a test compiles it with them): loading them costs more than everything else here. ARP for
# IPv4, neighbour discovery for IPv6. PROBE_MS 0: do not ask. ANNOUNCE 0: do not tell.
# Exit: 0 done; 9 taken (the other's MAC on standard output); else what `ip` said.
# Promises: the first announcements are sent before it ends; the later ones come from a child in a process group of its own that
# holds nothing open and sends only while the address is still on the interface.

my ($address, $interface, $probe_ms, $announce, $ip_program, $family, @words) = @ARGV;
my $six = $address =~ /:/;
my $ether_type = $six ? 0x86dd : 0x0806;
my $ip = $six ? ipv6($address) : pack('C4', split /\./, $address);
# Linux numbers: AF_PACKET 17, SOCK_RAW 3, SIOCGIFINDEX 0x8933, SIOCGIFHWADDR 0x8927.
# Protocol 0 until bind(): changing the protocol of a live packet socket waits for the kernel's grace period (15 ms).
socket(my $wire, 17, 3, 0) or die "packet socket: $!\n";
my $index = unpack('x16 i', request(0x8933));
my $mac = unpack('x18 a6', request(0x8927));
bind($wire, link_address("\0" x 6)) or die "$interface: $!\n";

my $adder;
probe() if $probe_ms > 0;
if (@words) {
  start_adder() if !$adder;
  print $adder join(' ', @words), "\n";
  close $adder or exit($? >> 8 || 1);
}
announce() if $announce;
exit 0;

# Waits for its line: it starts while the network is asked. Without a line it ends and has done nothing.
sub start_adder { open($adder, '|-', $ip_program, $family, '-batch', '-') or die "$ip_program: $!\n" }

sub probe {
  my $left = $probe_ms / 1000;
  send_frame($six ? solicitation() : arp(1, "\0" x 4, "\0" x 6));
  start_adder() if @words;
  while ($left > 0) {
    my $readable = '';
    vec($readable, fileno($wire), 1) = 1;
    # Linux gives back the time that is left, so foreign traffic cannot prolong the wait.
    (my $count, $left) = select($readable, undef, undef, $left);
    last if !$count || $count < 0;
    defined recv($wire, my $frame, 1514, 0) or next;
    my ($claim, $their_mac) = $six ? read_icmp($frame) : read_arp($frame);
    next if !$claim || $their_mac eq $mac;
    taken($their_mac) if $claim eq 'owner' || $mac gt $their_mac;
    # Another node asks at the same moment. It may have asked before we listened, or we before it did; the lower MAC
    # address wins and says so at once, hence exactly one of the two goes on.
    send_frame($six ? advertisement() : arp(2, $ip, $mac));
  }
}

sub taken {
  print join(':', map { sprintf '%02x', $_ } unpack('C6', $_[0])), "\n";
  exit 9;
}

sub announce {
  send_announcement() for 1 .. 2;
  # The child also spares us the close of the packet socket, which waits for a grace period as well.
  defined(my $child = fork) or die "fork: $!\n";
  return if $child;
  open STDIN, '<', '/dev/null';
  open STDOUT, '>', '/dev/null';
  open STDERR, '>', '/dev/null';
  # A group is enough; POSIX, for a session, is 0.2 s of a small processor that the next agent wants.
  setpgrp;
  # Switches and hosts lose frames while a link or a port settles; two seconds cover both.
  for my $pause (0.05, 0.15, 0.3, 0.5, 1) {
    select(undef, undef, undef, $pause);
    exit 0 if !is_here();
    send_announcement();
  }
  exit 0;
}

# Is the address on the interface? Asked of the kernel without a process: what is started meanwhile needs the processor. A bind()
# test would not do, for net.ipv4.ip_nonlocal_bind makes it succeed everywhere.
sub is_here {
  return $six ? is_here_six() : is_here_four();
}

# SIOCGIFCONF (0x8912): every IPv4 address as struct ifreq, under its label, which begins with the interface's name, or is that name.
sub is_here_four {
  my $size = length(pack 'P', $ip) == 8 ? 40 : 32;
  for my $room (64, 4096) {
    my $entries = "\0" x ($size * $room);
    my $head = pack('i', length $entries);
    my $request = $head . "\0" x (length(pack 'P', $entries) - length $head) . pack('P', $entries);
    ioctl($wire, 0x8912, $request) or return 0;
    my $used = unpack('i', $request);
    next if $used > $size * ($room - 1) && $room == 64;
    for (my $at = 0; $at + $size <= $used; $at += $size) {
      my ($label, $family, $found) = unpack('Z16 S x2 a4', substr($entries, $at, $size));
      next if $family != 2 || $found ne $ip || index($label, $interface) != 0;
      return 1 if $label eq $interface || !-e "/sys/class/net/$label";
    }
    return 0;
  }
}

sub is_here_six {
  open(my $table, '<', '/proc/net/if_inet6') or return 0;
  my $wanted = unpack('H32', $ip);
  while (my $line = <$table>) {
    my ($found, undef, undef, undef, undef, $name) = split ' ', $line;
    return 1 if $found eq $wanted && $name eq $interface;
  }
  return 0;
}

sub send_announcement {
  return send_frame(advertisement()) if $six;
  # Some hosts learn from requests only, some from replies only.
  send_frame(arp(1, $ip, "\0" x 6));
  send_frame(arp(2, $ip, $mac));
}

sub arp {
  my ($operation, $sender, $target_mac) = @_;
  return ("\xff" x 6, pack('n n C C n a6 a4 a6 a4', 1, 0x0800, 6, 4, $operation, $mac, $sender, $target_mac, $ip));
}

sub read_arp {
  my (undef, undef, $operation, $their_mac, $sender, undef, $target) = unpack('a12 n x6 n a6 a4 a6 a4', $_[0] . "\0" x 42);
  return ('owner', $their_mac) if $sender eq $ip;
  return ('asker', $their_mac) if $operation == 1 && $sender eq "\0" x 4 && $target eq $ip;
  return;
}

# RFC 4862: duplicate detection asks the solicited-node group, from the unspecified address, without options.
sub solicitation {
  my $group = "\xff\x02" . "\0" x 9 . "\x01\xff" . substr($ip, 13);
  return icmp("\0" x 16, $group, pack('C C n N a16', 135, 0, 0, 0, $ip));
}

# Unsolicited, override flag set, with our link-layer address: replaces what neighbours have cached.
sub advertisement {
  my $all_nodes = "\xff\x02" . "\0" x 13 . "\x01";
  return icmp($ip, $all_nodes, pack('C C n N a16 C C a6', 136, 0, 0, 0x20000000, $ip, 2, 1, $mac));
}

sub icmp {
  my ($from, $to, $body) = @_;
  my $sum = unpack('%32n*', $from . $to . pack('N N', length $body, 58) . $body);
  $sum = ($sum & 0xffff) + ($sum >> 16) for 1 .. 2;
  substr($body, 2, 2) = pack('n', ~$sum & 0xffff);
  return ("\x33\x33" . substr($to, 12), pack('N n C C', 6 << 28, length $body, 58, 255) . $from . $to . $body);
}

sub read_icmp {
  my ($their_mac, $next, $hops, $from, $type, $target) = unpack('x6 a6 x2 x6 C C a16 x16 C x7 a16', $_[0] . "\0" x 78);
  return if $next != 58 || $hops != 255 || $target ne $ip;
  return ('owner', $their_mac) if $type == 136;
  return ('asker', $their_mac) if $type == 135 && $from eq "\0" x 16;
  return;
}

sub send_frame {
  my ($to, $payload) = @_;
  my $frame = $to . $mac . pack('n', $ether_type) . $payload;
  # Short Ethernet frames are padded by the sender.
  $frame .= "\0" x (60 - length $frame) if length $frame < 60;
  send($wire, $frame, 0, link_address($to));
}

sub link_address { return pack('S n i S C C a8', 17, $ether_type, $index, 1, 0, 6, $_[0]) }

sub request {
  my $buffer = pack('a16 x24', $interface);
  ioctl($wire, $_[0], $buffer) or die "$interface: $!\n";
  return $buffer;
}

sub ipv6 {
  my ($text) = @_;
  $text =~ s/(\d+)\.(\d+)\.(\d+)\.(\d+)$/sprintf '%x:%x', $1 * 256 + $2, $3 * 256 + $4/e;
  my ($head, $tail) = split /::/, $text, 2;
  my @head = split /:/, $head;
  my @tail = split /:/, $tail // '';
  return pack('n8', map { hex } @head, ('0') x (8 - @head - @tail), @tail);
}
