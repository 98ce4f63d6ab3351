# Sourced by ../classfold: the Python environment. Uses root, cache, say and fail; sets python.

# Prints the version of an interpreter that works and can make environments, if it is one that the lock files fit.
# It is asked, not guessed from its name: a shim of pyenv may be on PATH with nothing behind it.
supported_python() {
  "$1" -c 'import sys, venv, ensurepip
sys.exit("unsupported") if sys.version_info[:2] not in {(3, 11), (3, 12)} else print(sys.version.split()[0])' 2>/dev/null
}

find_interpreter() {
  local name candidate
  for name in python3.11 python3.12 python3 python; do
    while IFS= read -r candidate; do
      if supported_python "$candidate" >/dev/null; then
        interpreter=$candidate
        return
      fi
    done < <(type -aP "$name")
  done
  fail "no working Python 3.11 or 3.12 with venv is on PATH; install one, e.g. with" \
    "\`sudo apt-get install python3.11 python3.11-venv\` or \`conda create -n classfold python=3.11\`."
}

check_machine() {
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    fail "the locked packages are for Linux on x86_64, this is $(uname -sm): run the container built from" \
      "containers/Dockerfile (\`docker build --platform linux/amd64 -f containers/Dockerfile .\`)."
  command -v flock >/dev/null || fail "flock is missing; install it with \`sudo apt-get install util-linux\`."
}

make_cache() {
  mkdir -p "$cache" 2>/dev/null && [[ -w $cache ]] ||
    fail "$cache cannot be written to: name another folder, e.g. with \`export CLASSFOLD_HOME=/scratch/\$USER/classfold\`."
}

environment_folder() { # LOCK_FILE
  echo "$cache/python-$(sha256sum "$1" | cut -c1-12)"
}

# The stamp is written last, so an interrupted set-up is never taken for a whole one; and the interpreter that an
# environment was made with may have left the machine since.
environment_is_ready() { # FOLDER
  [[ -e $1/.complete ]] && "$1/bin/python" -c '' 2>/dev/null
}

# At a terminal, pip's "Collecting NAME" lines become one line that counts; elsewhere nothing is shown.
show_progress() { # NUMBER_OF_PACKAGES
  local word package count=0
  while read -r word package _; do
    [[ $word == Collecting && -t 2 ]] || continue
    count=$((count + 1))
    printf '\r\033[Kclassfold:   %d of %d: %s' "$count" "$1" "${package%%=*}" >&2
  done
  if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
}

install_locked() { # PYTHON LOG LOCK_FILE [PIP_OPTIONS]
  local interpreter=$1 log=$2 lock=$3
  shift 3
  "$interpreter" -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps "$@" -r "$lock" 2>&1 |
    tee "$log" | show_progress "$(grep -c == "$lock")" || {
    tail -n 5 "$log" >&2
    fail "installing $(basename "$lock") failed, see above and $log; run the same command again once that is mended."
  }
}

build_environment() { # LOCK_FILE FOLDER
  local lock=$1 folder=$2 interpreter
  find_interpreter
  say "making a Python environment with $interpreter ($(supported_python "$interpreter"))"
  rm -rf "$folder"
  "$interpreter" -m venv "$folder" || fail "$interpreter could not make $folder: is there space and the right to write?"
  say "installing $(grep -c == "$lock") packages of $(basename "$lock") into $folder (once: 4 GB to download, 8 GB on disk)"
  # Some packages exist as source only: their build tools are locked too, so nothing is fetched without a hash.
  install_locked "$folder/bin/python" "$folder/install.log" "$root/setup/build.lock"
  install_locked "$folder/bin/python" "$folder/install.log" "$lock" --no-build-isolation
  date -u +%Y-%m-%dT%H:%M:%SZ >"$folder/.complete"
}

find_environment() { # run|test|train
  local lock=$root/setup/requirements-$1.lock candidate folder modules=boltz
  case $1 in
    run) lock=$root/setup/requirements.lock ;;
    test) modules="boltz pytest mypy ruff" ;;
    train) modules="boltz MDAnalysis MDAnalysisTests" ;;
  esac
  if [[ -n ${CLASSFOLD_PYTHON:-} ]]; then
    python=$CLASSFOLD_PYTHON
    "$python" -c 'import sys, importlib.util as util
sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)} or None in map(util.find_spec, sys.argv[1:]))' $modules 2>/dev/null ||
      fail "CLASSFOLD_PYTHON=$python is not a Python 3.11 or 3.12 with ${modules// /, }; install into it with" \
        "\`$python -m pip install --require-hashes --no-deps -r $lock\`, or unset it."
    return
  fi
  # The tests' environment holds all that a run needs, at the same versions.
  for candidate in "$lock" "$root/setup/requirements-test.lock"; do
    [[ $candidate == "$lock" || $1 == run ]] || continue
    folder=$(environment_folder "$candidate")
    if environment_is_ready "$folder"; then
      python=$folder/bin/python
      return
    fi
  done
  check_machine
  folder=$(environment_folder "$lock")
  make_cache
  (
    flock --nonblock 9 || {
      say "waiting for another set-up of $folder"
      flock 9
    }
    environment_is_ready "$folder" || build_environment "$lock" "$folder"
  ) 9>"$folder.lock"
  python=$folder/bin/python
}
