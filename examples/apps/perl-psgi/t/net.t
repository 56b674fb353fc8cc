use strict;
use warnings;
use Test::More tests => 2;
use Plack::Test;
use HTTP::Request::Common;

my $test = Plack::Test->create(do './app.psgi');
my $response = $test->request(GET '/buoy');
is($response->code, 200);
is($response->content, "Net mended at /buoy\n");
