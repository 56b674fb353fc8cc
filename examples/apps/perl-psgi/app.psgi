use strict;
use warnings;

sub {
    my $env = shift;
    return [200, ['Content-Type' => 'text/plain'], ["Net mended at $env->{PATH_INFO}\n"]];
};
