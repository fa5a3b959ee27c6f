# What `systole status --json` asks and gets, as the line that the daemon sends.
use strict;
use warnings;
use Socket;

socket my $io, PF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
connect $io, sockaddr_un('/run/heartbeat/systole') or die "the daemon does not answer: $!\n";
alarm 20;
syswrite $io, qq({"id":1,"request":{"command":"status"}}\n);
print scalar readline $io;
