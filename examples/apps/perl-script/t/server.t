use strict;
use warnings;
use HTTP::Tiny;
use IO::Socket::INET;
use Test::More tests => 2;

# A port that nothing listens on.
my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
my $server = fork // die $!;
if (!$server) {
    $ENV{PORT} = $port;
    exec $^X, 'server.pl';
}

my $response;
for (1 .. 100) {
    $response = HTTP::Tiny->new(timeout => 10)->get("http://127.0.0.1:$port/");
    last if $response->{status} != 599;
    select undef, undef, undef, 0.1;
}
kill 'TERM', $server;
waitpid $server, 0;
is($response->{status}, 200);
is($response->{content}, "A script without Plack\n");
