# shellcheck shell=bash
# Programs of a buildpack that are to be quick: detect and release. compile may take as long as the stager.

# In seconds.
quick=60

# run_quickly NAME PROGRAM FILE: runs a program of a buildpack, which is given the application. What it prints goes to FILE,
# and its errors to FILE.err. Ends the staging if it does not end. Returns its exit code.
run_quickly() {
  local code=0
  in_stagerfs timeout -k 5 "$quick" "${packs:?}/$1/bin/$2" /app </dev/null >"$3" 2>"$3.err" || code=$?
  case $code in
    124 | 137 | 126 | 127) head -q -c 4000 "$3" "$3.err" ;;
  esac
  case $code in
    124 | 137) fail "bin/$2 of the buildpack $1 did not end within $quick seconds." ;;
    126 | 127) fail "bin/$2 of the buildpack $1 does not run: it must be a program with the permission to execute." ;;
  esac
  return "$code"
}
