# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the demos share: commands that are shown and run, and claims about what they say. Sourced, never run, after common.sh;
# the caller has a folder $work.

failures=0
# A proxy of the machine cannot be reached from in here, and its connections would prove nothing.
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

heading() { printf '\n%s== %s%s\n' "$BOLD" "$1" "$PLAIN"; }
say() { printf '  %s\n' "$@"; }

# run <command line>: prints it, runs exactly that, prints what it says. Leaves OUT and STATUS.
run() {
  printf '  %s$ %s%s\n' "$DIM" "$1" "$PLAIN"
  STATUS=0
  OUT=$(eval "$1" 2>&1) || STATUS=$?
  [[ -z $OUT ]] || printf '%s\n' "$OUT" | sed 's/^/    /'
  [[ $STATUS == 0 ]] || printf '    (exit status %s)\n' "$STATUS"
}
# must <command line>: the same for what the demo itself needs; there is no going on without it.
must() {
  run "$1"
  [[ $STATUS == 0 ]] || die 'the demo cannot build its stage here, see the message above'
}

# claim <sentence> <test...>: prints whether the sentence is true; a false one makes the demo fail.
claim() {
  local sentence=$1
  shift
  if "$@"; then
    printf '  %sok%s      %s\n' "$GREEN" "$PLAIN" "$sentence"
  else
    printf '  %sFAILED%s  %s\n' "$RED" "$PLAIN" "$sentence"
    failures=$((failures + 1))
  fi
}
succeeded() { [[ $STATUS == 0 ]]; }
succeeded_silently() { [[ $STATUS == 0 && -z $OUT ]]; }
answer_is() { [[ $STATUS == 0 && $OUT == "$1" ]]; }
result_has() { [[ $STATUS == 0 ]] && jq -e "$1" >/dev/null 2>&1 <<<"$OUT"; }

# verdict: the last word. False if a claim was.
verdict() {
  echo
  if ((failures)); then
    echo "${RED}${BOLD}$failures of the claims above are not true.${PLAIN}"
    exit 1
  fi
  echo "${GREEN}${BOLD}Everything was as claimed.${PLAIN}"
}

# page_that_tells_who_calls <folder>: /cgi-bin/who of a web server there.
page_that_tells_who_calls() {
  mkdir -p "$1/cgi-bin"
  # shellcheck disable=SC2016 # the server expands it, for each caller
  printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\nyou are %%s\\n" "$REMOTE_ADDR"\n' \
    >"$1/cgi-bin/who"
  chmod +x "$1/cgi-bin/who"
}

# serve <namespace> <address>: a web server on port 80. It goes to the background only when it listens.
serve() {
  # shellcheck disable=SC2154 # the caller's
  run "ip netns exec $1 busybox httpd -p $2:80 -h $work/$1 >/dev/null 2>&1"
  claim "$1 listens on port 80" succeeded
}
