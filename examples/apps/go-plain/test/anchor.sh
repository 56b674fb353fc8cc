#!/bin/bash
# Asks the program that was built, because there is no Go beside it.
set -euo pipefail
export PORT=8081
bin/app &
server=$!
trap 'kill "$server"' EXIT

# ask PATH: waits until something listens.
ask() { curl --silent --show-error --fail --retry 30 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$PORT$1"; }
# expect PATH TEXT
expect() {
  local answer
  answer=$(ask "$1")
  [[ $answer == *"$2"* ]] || { echo "$1 answers '$answer' instead of '$2'"; exit 1; }
}

expect / 'Anchor down'
