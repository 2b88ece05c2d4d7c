#!/bin/sh
# Install the browsers the tests talk to, if they are missing and we may. The tests say what is still missing.
set -u
missing=""
command -v chromium >/dev/null || missing="$missing chromium"
command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing="$missing firefox-esr"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "install_browsers: cannot install$missing here (that takes root and apt-get)" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing ||
    echo "install_browsers: apt-get could not install$missing" >&2
exit 0
