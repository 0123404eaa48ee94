# Sourced by demo.sh and run.sh: installs Debian packages that are missing.
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
