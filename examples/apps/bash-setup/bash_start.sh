#!/bin/bash
# The setup has made what this needs.
exec perl server.pl "$PORT"
