# What the hostile programs of test/hostile/engine need: system calls by name, and the Stager API.
package Hostile;
use strict;
use warnings;
use Errno ();
use Exporter 'import';
use Fcntl qw(:DEFAULT);
use IO::Select ();    # which IO::Socket loads later, when a program may have removed it
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
our @EXPORT = qw(sys tried error_name opened content_of asked knock sh);

my %numbers = (
    x86_64 => {
        mount => 165, umount2 => 166, pivot_root => 155, unshare => 272, setns => 308, mknodat => 259, ptrace => 101,
        add_key => 248, keyctl => 250, bpf => 321, perf_event_open => 298, init_module => 175, kexec_load => 246,
        reboot => 169, settimeofday => 164, swapon => 167, open_by_handle_at => 304, userfaultfd => 323, acct => 163,
        syslog => 103, lsetxattr => 189, inotify_init1 => 294, sethostname => 170, utimensat => 280, ioctl => 16,
        sched_setscheduler => 144, prlimit64 => 302, fallocate => 285, quotactl => 179, chroot => 161,
        move_mount => 429, open_tree => 428, fsopen => 430, clone3 => 435, process_vm_readv => 310, socket => 41, io_uring_setup => 425,
    },
    aarch64 => {
        mount => 40, umount2 => 39, pivot_root => 41, unshare => 97, setns => 268, mknodat => 33, ptrace => 117,
        add_key => 217, keyctl => 219, bpf => 280, perf_event_open => 241, init_module => 105, kexec_load => 104,
        reboot => 142, settimeofday => 170, swapon => 224, open_by_handle_at => 265, userfaultfd => 282, acct => 89,
        syslog => 116, lsetxattr => 5, inotify_init1 => 26, sethostname => 161, utimensat => 88, ioctl => 29,
        sched_setscheduler => 119, prlimit64 => 261, fallocate => 47, quotactl => 60, chroot => 51,
        move_mount => 429, open_tree => 428, fsopen => 430, clone3 => 435, process_vm_readv => 270, socket => 198, io_uring_setup => 425,
    },
);
my $number = $numbers{ ( POSIX::uname() )[4] } or die "no numbers of system calls for this processor\n";

# perl passes a string as a pointer, and a number as it is. It takes no literals, because the kernel may write to them.
sub sys {
    my ( $name, @arguments ) = @_;
    $! = 0;
    return syscall( $number->{$name} // die("no number of $name\n"), @arguments );
}

sub error_name {
    for my $name ( keys %! ) { return $name if $!{$name} && $name ne 'EWOULDBLOCK' }
    return "errno " . ( $! + 0 );
}

# `done`, or the name of the error.
sub tried { return sys(@_) == -1 ? error_name() : 'done' }

sub opened {
    my ( $path, $mode ) = @_;
    return sysopen( my $file, $path, $mode ) ? 'done' : error_name();
}

sub content_of {
    my ($path) = @_;
    open( my $file, '<', $path ) or return error_name();
    local $/;
    return <$file> // '';
}

sub sh { my ($script) = @_; return `$script` }

# The status and the body of the answer of the coordinator.
sub asked {
    my ( $method, $path, $body ) = @_;
    $body //= '';
    $ENV{STAGER_URL} =~ m{^http://([^/:]+):(\d+)(/.*)} or die "no STAGER_URL\n";
    my $at = $3;
    my $socket = IO::Socket::INET->new( PeerHost => $1, PeerPort => $2, Timeout => 10 ) or return "no connection";
    local $SIG{PIPE} = 'IGNORE';
    my $type = $body eq '' ? '' : "Content-Type: application/x-www-form-urlencoded\r\n";
    print $socket "$method $at$path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}Content-Length: ${\length $body}\r\n\r\n$body";
    $socket->flush;
    local $/;
    my $answer = <$socket> // '';
    my ( $status, $text ) = $answer =~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n(.*)}s or return 'no answer';
    $text =~ s/[^\x20-\x7e]/?/g;
    return "$status " . substr( $text, 0, 300 );
}

# Whether a connection to this address is accepted.
sub knock {
    my ( $host, $port ) = @_;
    return IO::Socket::INET->new( PeerHost => $host, PeerPort => $port, Timeout => 2 ) ? 'open' : 'shut';
}

1;
