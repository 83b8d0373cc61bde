#!/bin/sh
# Installs payops from its releases:
#   curl -fsSL https://github.com/example/payops/releases/latest/download/install.sh | sh
# PAYOPS_VERSION picks a version, PREFIX a place (default ~/.local), PAYOPS_RELEASES another place of the archives.
set -eu
fail() { echo "install: $*" >&2; exit 1; }
# Everything is in a function: a download that is cut off runs nothing.
main() {
    case "$(uname -s) $(uname -m)" in
        'Linux x86_64') target=x86_64-unknown-linux-musl ;;
        'Linux aarch64' | 'Linux arm64') target=aarch64-unknown-linux-musl ;;
        'Darwin x86_64') target=x86_64-apple-darwin ;;
        'Darwin arm64') target=aarch64-apple-darwin ;;
        *) fail "there is no build for $(uname -s) on $(uname -m); build it with: cargo install --locked --git https://github.com/example/payops payops" ;;
    esac
    if [ -n "${PAYOPS_VERSION:-}" ]; then
        from=${PAYOPS_RELEASES:-https://github.com/example/payops/releases/download/v$PAYOPS_VERSION}
    else
        from=${PAYOPS_RELEASES:-https://github.com/example/payops/releases/latest/download}
    fi
    prefix=${PREFIX:-$HOME/.local}
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    curl -fsSL --proto '=https,file' "$from/SHA256SUMS" -o "$work/SHA256SUMS" || fail "no release at $from"
    line=$(grep -E "  payops-[0-9][^ ]*-$target\.tar\.gz\$" "$work/SHA256SUMS") || fail "the release has no build for $target"
    archive=${line##* }
    curl -fsSL --proto '=https,file' "$from/$archive" -o "$work/$archive" || fail "$archive cannot be fetched"
    if command -v sha256sum >/dev/null; then sums='sha256sum'; else sums='shasum -a 256'; fi
    (cd "$work" && echo "$line" | $sums -c - >/dev/null 2>&1) || fail "$archive is not what SHA256SUMS says; nothing was installed"
    tar -xzf "$work/$archive" -C "$work"
    folder=$work/${archive%.tar.gz}
    mkdir -p "$prefix/bin" "$prefix/share/man/man1"
    cp "$folder/payops.1" "$prefix/share/man/man1/"
    # By a rename, so that a running payops is not written over.
    cp "$folder/payops" "$prefix/bin/.payops.new"
    chmod 755 "$prefix/bin/.payops.new"
    mv "$prefix/bin/.payops.new" "$prefix/bin/payops"
    echo "installed $("$prefix/bin/payops" --version) in $prefix/bin"
    case ":$PATH:" in
        *":$prefix/bin:"*) ;;
        *) echo "add it to PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
}
main "$@"
