#!/bin/bash
# Starts nginx with the configuration of the site, and asks it.
set -euo pipefail
export PORT=8081
/opt/site/start &
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

expect / 'Pages of the site'
expect /new.html 'The new page'
location=$(curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' "http://127.0.0.1:$PORT/old")
[[ $location == 301*/new.html ]] || { echo "/old answers '$location' instead of sending to the new page"; exit 1; }
