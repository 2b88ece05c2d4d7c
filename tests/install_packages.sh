#!/bin/sh
# Install what the tests talk to and work with, where it is missing and we may: two browsers, a TURN server, an ICE agent
# that takes TCP connections, and what makes networks. The tests say what is still missing.
set -u
missing=""
command -v chromium >/dev/null || missing="$missing chromium"
command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing="$missing firefox-esr"
command -v turnserver >/dev/null || missing="$missing coturn"
command -v ip >/dev/null || missing="$missing iproute2"
command -v nft >/dev/null || missing="$missing nftables"
/usr/bin/python3 -c "import gi; gi.require_version('Nice', '0.1')" 2>/dev/null ||
    missing="$missing python3-gi gir1.2-nice-0.1"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "install_packages: cannot install$missing here (that takes root and apt-get)" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Word splitting is meant: one argument a package.
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing ||
    echo "install_packages: apt-get could not install$missing" >&2
exit 0
