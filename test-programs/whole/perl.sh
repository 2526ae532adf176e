# Forks, pipes, sockets, select, alarms, sleeps; and threads, where perl has them.
perl -e '
use strict; use warnings; use Socket; use IO::Handle; use POSIX ":sys_wait_h"; $| = 1;
print join(",", map { $_ ** 2 } 1 .. 10), "\n";
pipe(my $r, my $w) or die; my $pid = fork // die;
if (!$pid) { close $r; print $w "from child\n"; close $w; exit 4 }
close $w; print <$r>; waitpid $pid, 0; print "status ", $? >> 8, "\n";
print "system ", system("exit 3") >> 8, " backtick ", `echo hello`;
open(my $p, "-|", "seq", 1, 5) or die; my @l = <$p>; close $p; print @l;
open($p, "|-", "sort -r") or die; print $p "$_\n" for 1 .. 3; close $p;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; $_->autoflush(1) for $a, $b;
if (!fork) { close $a; while (<$b>) { print $b uc } exit 0 } close $b;
print $a "line $_\n" and print scalar <$a> for 1 .. 3; close $a; wait;
local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; eval { sleep 20 }; print $@;
my $n = select(undef, undef, undef, 0.05); print "select $n\n";
local $SIG{CHLD} = sub { print "child ended\n" }; my $c = fork; exit 0 if defined $c && !$c; select(undef, undef, undef, 5); 1 while waitpid(-1, WNOHANG) > 0;
kill "TERM", $$ if 0; my %h = (b => 2, a => 1); print map { "$_$h{$_}" } sort keys %h; print "\n"'
echo $?
perl -Mthreads -Mthreads::shared -MThread::Queue -e '
my $q = Thread::Queue->new; my $sum :shared = 0;
my @t = map { threads->create(sub { while (defined(my $n = $q->dequeue)) { lock $sum; $sum += $n } }) } 1 .. 5;
$q->enqueue(1 .. 100); $q->end; $_->join for @t; print "$sum\n"'
echo $?
