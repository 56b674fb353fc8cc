use strict;
use warnings;
use Test::More tests => 2;

use_ok('Splice', '1.00');
is(Splice::of('one', 'two'), 'one is spliced to two');
