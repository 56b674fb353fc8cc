use strict;
use warnings;
use Plack::Request;
use Tide::Table;

sub {
    my $request = Plack::Request->new(shift);
    return [200, ['Content-Type' => 'text/plain'], ['Low water at ' . Tide::Table::low() . ' for ' . ($request->param('who') // 'all') . "\n"]];
};
