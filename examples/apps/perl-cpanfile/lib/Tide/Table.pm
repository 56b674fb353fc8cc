package Tide::Table;
use strict;
use warnings;

sub low { return '12:34' }

1;
