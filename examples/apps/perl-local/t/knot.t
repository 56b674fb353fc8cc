use strict;
use warnings;
use Test::More tests => 2;

use_ok('Knot', '1.0');
is(Knot->tie('hitch'), 'A hitch is tied');
