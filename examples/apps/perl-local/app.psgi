use strict;
use warnings;
use Knot;

sub { return [200, ['Content-Type' => 'text/plain'], [Knot->tie('bowline') . "\n"]] };
