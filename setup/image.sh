# Sourced by ../classfold: builds, checks and exports the image of containers/Dockerfile. Uses root, say and fail.

image_engine=    # docker or podman
image=           # its name and tag

# As the container profiles start it (conf/docker.config), with a user that the image has never heard of.
confined=(--rm --interactive --network none --read-only --tmpfs '/tmp:exec,mode=1777' --cap-drop all
  --security-opt no-new-privileges --user 4711:4711)

find_image_engine() {
  local name
  for name in ${image_engine:-docker podman}; do
    if timeout 60 "$name" info >/dev/null 2>&1 </dev/null; then
      image_engine=$name
      return
    fi
  done
  fail "${image_engine:-docker or podman} is needed to build an image, and does not answer here: install it, e.g. with" \
    "\`sudo apt-get install podman\`, or start its service."
}

# What the image is made of, as one number: an image with the same one need not be built again.
recipe_digest() {
  (cd "$root" && cat containers/Dockerfile setup/build.lock setup/requirements.lock) | sha256sum | cut -d ' ' -f 1
}

inspect_image() { # FORMAT
  "$image_engine" image inspect --format "$1" "$image" 2>/dev/null
}

build_image() {
  local digest
  digest=$(recipe_digest)
  if [[ $(inspect_image '{{index .Config.Labels "classfold.recipe"}}') == "$digest" ]]; then
    say "$image is there, made of this very Dockerfile and these lock files"
    return
  fi
  say "building $image with $image_engine (4 GB to download, 9 GB on disk)"
  "$image_engine" build --file "$root/containers/Dockerfile" --label "classfold.recipe=$digest" --tag "$image" "$root" ||
    fail "$image_engine could not build $image, see above."
}

test_image() {
  local user name scripts=()
  user=$(inspect_image '{{.Config.User}}') ||
    fail "there is no image $image; \`./classfold image build\` makes it, --tag names another one."
  [[ -n $user && $user != root && $user != 0 && $user != 0:* && $user != root:* ]] ||
    fail "$image runs as root where nobody says otherwise: its Dockerfile must end with a USER."
  for name in "$root"/bin/*.py "$root"/modules/*.nf; do scripts+=("$(basename "$name")"); done
  # The check and the lock file come from here, not from the image: it cannot vouch for itself.
  "$image_engine" run "${confined[@]}" "$image" python3 -c "$(<"$root/containers/check_image.py")" "${scripts[@]}" \
    <"$root/setup/requirements.lock" || fail "$image is not fit for use, see above."
  say "$image: $(inspect_image '{{.Size}}' | awk '{ printf "%.1f GB", $1 / 1e9 }'), user $user, fit for use"
}

# Charliecloud runs a folder. The image's environment does not travel in its files, so it is written beside them.
export_image() { # FOLDER
  local folder=${1:-} container
  [[ -n $folder ]] || fail "./classfold image export needs a folder to write to."
  [[ ! -e $folder || -z $(ls -A "$folder") ]] || fail "$folder is not empty: name a new folder."
  inspect_image ok >/dev/null || fail "there is no image $image; \`./classfold image build\` makes it, --tag names another one."
  mkdir -p "$folder"
  container=$("$image_engine" create "$image")
  # No trap: the container is no more than a name for the image's files, and is removed whatever becomes of them.
  "$image_engine" export "$container" | tar -x --no-same-owner --exclude='dev/*' -C "$folder" || {
    "$image_engine" rm "$container" >/dev/null
    fail "$image could not be written to $folder, see above."
  }
  "$image_engine" rm "$container" >/dev/null
  mkdir -p "$folder/ch"
  inspect_image '{{range .Config.Env}}{{println .}}{{end}}' | sed '/^$/d' >"$folder/ch/environment"
  # Where Charliecloud binds files of the machine.
  touch "$folder/etc/hosts" "$folder/etc/resolv.conf"
  say "$image is in $folder: ./classfold run -profile charliecloud --container $(readlink -f "$folder") ..."
}

image() { # build|test|export [FOLDER] [--engine docker|podman] [--tag NAME]
  local action=${1:-} folder=
  (($# == 0)) || shift
  image=$(sed -n "s/^ *version = '\(.*\)'/classfold:\1/p" "$root/nextflow.config")
  while (($# > 0)); do
    case $1 in
      --engine | --tag)
        [[ -n ${2:-} ]] || fail "$1 needs a value."
        if [[ $1 == --tag ]]; then image=$2; else image_engine=$2; fi
        shift 2
        ;;
      -*) fail "unknown option '$1': image takes --engine docker|podman and --tag NAME." ;;
      *)
        folder=$1
        shift
        ;;
    esac
  done
  [[ $image_engine =~ ^(docker|podman)?$ ]] || fail "--engine is '$image_engine': use docker or podman."
  case $action in
    build) find_image_engine && build_image ;;
    test) find_image_engine && test_image ;;
    export) find_image_engine && export_image "$folder" ;;
    *) fail "unknown action '$action': use image build, image test or image export FOLDER." ;;
  esac
}
