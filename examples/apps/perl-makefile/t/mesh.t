use strict;
use warnings;
use Test::More tests => 1;
use Net::Mesh;

is(Net::Mesh::width(1, 2, 3), 6);
