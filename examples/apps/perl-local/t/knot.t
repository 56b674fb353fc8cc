use strict;
use warnings;
use Test::More tests => 3;
use Plack::Test;
use HTTP::Request::Common;

use_ok('Knot', '1.0');
is(Knot->tie('hitch'), 'A hitch is tied');

my $test = Plack::Test->create(do './app.psgi');
is($test->request(GET '/')->content, "A bowline is tied\n");
