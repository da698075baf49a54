# Hashes, arrays, strings, regular expressions, a sort and a fork under perl.
use strict;
use warnings;

my %seen;
my $state = 1;
for my $i (1 .. 150_000) {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    my $word = sprintf '%s-%d', 'ab' x ($i % 30), $state;
    push @{ $seen{ $state % 5003 } }, $word;
}
my @keys = sort { $a <=> $b } keys %seen;
my $text = join "\n", map { "$_: @{ $seen{$_} }" } @keys;
my $count = () = $text =~ /b-(\d+)5\b/g;
(my $changed = $text) =~ s/(ab)+/length $&/ge;
print length $text, " $count ", length $changed, "\n";
print join(',', (sort { $a cmp $b } map { @{$_} } values %seen)[0 .. 20]), "\n";
$| = 1;
my $pid = fork // die;
if (!$pid) {
    delete $seen{$_} for grep { $_ % 2 } keys %seen;
    print scalar(keys %seen), "\n";
    exit 0;
}
waitpid $pid, 0;
print "$?\n";
