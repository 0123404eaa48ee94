# Sourced by demo.sh, export_all.sh and run.sh: installs Debian packages that are missing, sets up Python environments, builds vitcc.
# need PACKAGE…: installs those of the named packages that are not installed, as root or with sudo.
need() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    echo "installing ${missing[*]}"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
}

# need_space FOLDER GIGABYTES: fails where less is free; models that are there already count as free.
need_space() {
    local free there
    free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1e6) }')
    there=$({ du -skc "$1"/build/full "$1"/.venv-* 2>/dev/null || true; } | awk 'END { print int($1 / 1e6) }')
    [ $((free + there)) -ge "$2" ] || {
        echo "$1 has $free GB free; $(($2 - there)) are needed" >&2
        return 1
    }
}

# python_with FOLDER REQUIREMENTS: a Python environment of the pinned packages, made anew where they changed; torch is installed first and by itself.
python_with() {
    cmp -s "$2" "$1/requirements.txt" && return
    rm -rf "$1"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "$(grep '^torch==' "$2")"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
    cp "$2" "$1/requirements.txt"
}

BUILD_PACKAGES=(gcc libc6-dev make cmake pkg-config libxsmm-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libonnx-dev libjansson-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev)

# build_vitcc FOLDER [cmake arguments…]
build_vitcc() {
    local folder=$1
    shift
    cmake -S "$ROOT" -B "$folder" "$@" >"$folder.log" 2>&1 && cmake --build "$folder" -j "$(nproc)" >>"$folder.log" 2>&1 || {
        cat "$folder.log" >&2
        return 1
    }
}
