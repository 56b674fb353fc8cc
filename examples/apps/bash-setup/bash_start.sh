#!/bin/bash
# The setup has installed `serve`.
exec serve server.pl "$PORT"
