use strict;
use warnings;
use Net::Mesh;

sub { return [200, ['Content-Type' => 'text/plain'], ['The mesh is ' . Net::Mesh::width(20, 22) . " mm wide\n"]] };
