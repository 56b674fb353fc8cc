use strict;
use warnings;
use Test::More tests => 2;
use Plack::Test;
use HTTP::Request::Common;

my $test = Plack::Test->create(do './tides.psgi');
my $response = $test->request(GET '/?who=me');
is($response->code, 200);
like($response->content, qr/for me$/);
