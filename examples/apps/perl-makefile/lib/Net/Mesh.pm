package Net::Mesh;
use strict;
use warnings;
use List::Util 'sum';

sub width { return sum(@_) }

1;
