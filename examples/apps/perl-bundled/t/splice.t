use strict;
use warnings;
use Test::More tests => 3;
use Plack::Test;
use HTTP::Request::Common;

use_ok('Splice', '1.00');
is(Splice::of('one', 'two'), 'one is spliced to two');

my $test = Plack::Test->create(do './app.psgi');
is($test->request(GET '/')->content, "hemp is spliced to wire\n");
