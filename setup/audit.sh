# Sourced by ../classfold: asks whether what the lock files hold has known vulnerabilities. Uses root, cache, say, fail
# and the functions of python.sh.

# pip-audit in an environment of its own, so that what it needs never meets what the pipeline needs.
find_audit_tool() {
  local lock=$root/setup/audit.lock folder interpreter
  folder=$(environment_folder "$lock")
  folder=${folder/\/python-/\/audit-}
  make_cache
  (
    flock 9
    environment_is_ready "$folder" && exit
    find_interpreter
    say "installing pip-audit into $folder (once, 60 MB)"
    rm -rf "$folder"
    "$interpreter" -m venv "$folder" || fail "$interpreter could not make $folder: is there space and the right to write?"
    install_locked "$folder/bin/python" "$folder/install.log" "$lock"
    touch "$folder/.complete"
  ) 9>"$folder.lock"
  audit_python=$folder/bin/python
}

audit() { # [OPTIONS OF pip-audit]
  local audit_python lock said number skipped found=0 unknown=0
  find_audit_tool
  for lock in requirements build java; do
    number=$(grep -c == "$root/setup/$lock.lock")
    # The lock files name every package with its hash: nothing is resolved or installed.
    if said=$("$audit_python" -m pip_audit --progress-spinner off --disable-pip --require-hashes -r "$root/setup/$lock.lock" "$@" 2>&1); then
      :
    elif grep -qE '^Found [0-9]+ known vulnerabilit' <<<"$said"; then
      found=1
    else
      fail "nothing was audited, the database of vulnerabilities did not answer: $(tail -n 1 <<<"$said" | sed 's| (Caused by.*||');" \
        "run this where there is a network, or ask another with \`./classfold audit --vulnerability-service osv\`."
    fi
    # A package that the database does not know passes as one without a fault.
    skipped=$(grep -c 'could not be audited' <<<"$said" || true)
    unknown=$((unknown + skipped))
    grep -v -e 'could not be audited' -e 'Skip Reason' -e '^[- ]*$' -e '^No known vulnerabilities' <<<"$said" || true
    say "$lock.lock: $((number - skipped)) of $number packages audited"
  done
  ((found == 0)) || say "there are known vulnerabilities, see above; ./setup/lock --upgrade brings newer versions."
  ((unknown == 0)) || fail "$unknown packages could not be audited: the database does not know them; a mirror of PyPI may have" \
    "none, ask another with \`./classfold audit --vulnerability-service osv\`."
  ((found != 0)) || say "no known vulnerabilities."
  return "$found"
}
