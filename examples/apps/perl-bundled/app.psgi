use strict;
use warnings;
use Splice;

sub { return [200, ['Content-Type' => 'text/plain'], [Splice::of('hemp', 'wire') . "\n"]] };
