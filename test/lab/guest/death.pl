# Notes the time at which the daemon of this guest says that its peer is dead: its log has whole seconds only.
# Usage: death.pl LOG FILE
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($log, $file) = @ARGV;
unlink $file;
open my $in, '<', $log or die "$log: $!";
seek $in, 0, 2;
while (1) {
  while (my $line = <$in>) {
    next unless $line =~ /node \S+: is dead/;
    my $now = time;
    open my $out, '>', "$file.new" or die "$file: $!";
    printf $out "%.3f\n", $now;
    close $out;
    rename "$file.new", $file;
    exit;
  }
  sleep 0.05;
  seek $in, 0, 1;
}
