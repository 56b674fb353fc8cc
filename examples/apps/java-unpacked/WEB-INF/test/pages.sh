#!/bin/bash
# Starts the servlet container with the application, and asks it.
set -euo pipefail
export PORT=8081
url=http://127.0.0.1:$PORT
/app/.server/start &
server=$!
trap 'kill "$server"' EXIT

# Until it listens, or has ended.
for _ in {1..300}; do
  if curl --silent --output /dev/null "$url" || ! kill -0 "$server"; then break; fi
  sleep 0.1
done

# ask PATH
ask() { curl --silent --show-error --fail "$url$1"; }
# expect PATH TEXT
expect() {
  local answer
  answer=$(ask "$1")
  [[ $answer == *"$2"* ]] || { echo "$1 answers '$answer' instead of '$2'"; exit 1; }
}

expect / 'A page of the open war'
expect /count.jsp 'Two and two are 4'
