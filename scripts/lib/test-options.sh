# shellcheck shell=bash
# Read the command line of ./scripts/test. With --engine and the name of a machine, this runs the tests there, and exits.
# shellcheck source=usage.sh
source "${root:?}/scripts/lib/usage.sh"

engine='' engine_files=()
while (($#)); do
  case $1 in
    --help | -h)
      usage
      exit
      ;;
    --engine)
      [[ -n ${2:-} ]] || usage_error '--engine wants a name'
      engine=$2
      shift
      ;;
    -*) usage_error "there is no option $1" ;;
    *)
      [[ -e $root/$1 ]] || usage_error "there is no file $1 in the checkout"
      engine_files+=("$1")
      ;;
  esac
  shift
done
case $engine in
  host | debian-12 | current | current-containerd) ;;
  '') ((${#engine_files[@]} == 0)) || usage_error 'files want --engine' ;;
  *) usage_error "there is no Engine '$engine': choose host, debian-12, current or current-containerd" ;;
esac

if [[ -n $engine && $engine != host ]]; then
  store=()
  if [[ $engine == *-containerd ]]; then store=(--containerd); fi
  exec "$root/scripts/lib/machine" run "${store[@]}" "${engine%-containerd}" \
    ./scripts/test --engine host "${engine_files[@]}"
fi
