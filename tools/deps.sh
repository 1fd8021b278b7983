# Installs the Debian packages that a command needs; sourced by run and test. Quick when all are there.
deps_build="gcc libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libwslay-dev nettle-dev libjwt-dev libsodium-dev libzstd-dev libuv1-dev libjson-c-dev libsqlite3-dev libpq-dev libssl-dev libcurl4-openssl-dev libmongoc-dev libicu-dev libjemalloc-dev librabbitmq-dev libhiredis-dev libjavascriptcoregtk-4.1-dev libseccomp-dev"
deps_test="$deps_build rabbitmq-server redis-server nginx-light libcmocka-dev postgresql postgresql-client curl sqlite3 python3 python3-jsonschema python3-pika clang clang-tidy clang-format libclang-rt-14-dev cppcheck mold chromium"
# shellcheck disable=SC2034
deps_bench="python3 wrk"

deps_install() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "caudal: these packages are missing and neither root nor sudo is at hand:$missing" >&2; return 1; }
        sudo="sudo"
    fi
    echo "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $sudo apt-get update && $sudo apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Node.js 18 or later with npm, whoever packaged it; Debian's own when there is none. Debian's npm brings its nodejs.
node_install() {
    if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; then
        return 0
    fi
    deps_install nodejs npm
}
