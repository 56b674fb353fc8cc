use strict;
use warnings;
use Test::More tests => 2;
use Plack::Test;
use HTTP::Request::Common;
use Net::Mesh;

is(Net::Mesh::width(1, 2, 3), 6);

my $test = Plack::Test->create(do './app.psgi');
is($test->request(GET '/')->content, "The mesh is 42 mm wide\n");
