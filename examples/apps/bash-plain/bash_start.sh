#!/bin/bash
# A web server in Perl, which the operating system has.
exec perl server.pl "$PORT"
