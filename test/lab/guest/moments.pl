# Notes when this guest's files first say something: the times in its log are whole seconds. Of a log counts what is added from now
# on, of a file in /proc whatever it shows. Promises: RESULT is there when everything was found, with a line for each pattern: the
# time of the last look that did not find it, and of the first that did. Usage: moments.pl RESULT FILE PATTERN [FILE PATTERN]...
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($result, @words) = @ARGV;
unlink $result;
my @wanted;
while (my ($path, $pattern) = splice @words, 0, 2) {
  push @wanted, {path => $path, from => -s $path || 0, pattern => qr/$pattern/m, missed => time};
}
while (my @left = grep { !$_->{found} } @wanted) {
  for my $each (@left) {
    my $now = time;
    if (text($each) =~ $each->{pattern}) { $each->{found} = time }
    else { $each->{missed} = $now }
  }
  sleep 0.03;
}
open my $out, '>', "$result.new" or die "$result: $!";
printf $out "%.3f %.3f\n", @$_{qw(missed found)} for @wanted;
close $out;
rename "$result.new", $result;

sub text {
  my ($each) = @_;
  open my $file, '<', $each->{path} or return '';
  seek $file, $each->{from}, 0;
  local $/;
  return <$file> // '';
}
