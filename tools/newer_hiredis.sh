#!/usr/bin/env bash
# Unpacks the hiredis of a newer Debian into FOLDER, beside the one that is installed, which stays as it is.
#
# usage: newer_hiredis.sh FOLDER
#
# Debian 12 has hiredis 0.14, whose reader knows no RESP3: what libtorc does where hiredis knows it would be
# tested nowhere there. Only the static library is kept, so that programs find no other at run time;
# FOLDER/pkgconfig is for PKG_CONFIG_PATH. apt keeps lists of its own under FOLDER.
set -euo pipefail

RELEASE=trixie # Debian 13: hiredis 1.2

[ $# -eq 1 ] || { echo "usage: newer_hiredis.sh FOLDER" >&2; exit 2; }
rm -rf "$1"
mkdir -p "$1"/apt/lists/partial "$1"/apt/cache "$1"/apt/none "$1"/pkgconfig
folder=$(readlink -f "$1")

# shellcheck disable=SC2016 # $(SITE) is for apt
mirror() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1; }
site=$(mirror)
[ -n "$site" ] || { apt-get -qq update && site=$(mirror); } # it tells of no source that was never fetched
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${site:?apt knows no Debian} $RELEASE main" \
    >"$folder/apt/sources.list"
apt=(apt-get -qq -o APT::Sandbox::User=root -o Acquire::Languages=none
    -o Dir::Etc::SourceList="$folder/apt/sources.list" -o Dir::Etc::SourceParts="$folder/apt/none"
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts="$folder/apt/none"
    -o Dir::State::Lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache")
"${apt[@]}" update
cd "$folder"
"${apt[@]}" download libhiredis-dev
dpkg-deb -x libhiredis-dev_*.deb .
library=$(dirname "$(find usr -name libhiredis.a)")
rm -rf apt libhiredis-dev_*.deb "$library"/*.so*
cat >pkgconfig/hiredis.pc <<END
Name: hiredis
Description: hiredis of Debian $RELEASE, static
Version: $(sed -n 's/^Version: *//p' "$library/pkgconfig/hiredis.pc")
Libs: -L$folder/$library -lhiredis
Cflags: -I$folder/usr/include
END
