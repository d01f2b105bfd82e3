#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Say in a sentence why a kernel build tree cannot build the module:
#
#	tools/kdir.sh [--clean] KDIR
#
# With --clean only look at what removing built files takes.
set -eu

die() {
	printf 'rust_gpu_ttm: %s\n' "$*" >&2
	exit 1
}

clean=
if [ "${1:-}" = --clean ]; then
	clean=1
	shift
fi
kdir=${1:-}
conf=$kdir/include/config/auto.conf

has() {
	grep -qx "$1" "$conf"
}

# The value of an option that is text, which some releases put in quotes.
value() {
	sed -n "s/^$1=//p" "$conf" | tr -d '"'
}

[ -n "$kdir" ] ||
	die "no kernel build tree is named; name one by KDIR="
[ -d "$kdir" ] ||
	die "there is no kernel build tree $kdir; name one by KDIR="
{ [ -f "$kdir/Makefile" ] && [ -f "$conf" ]; } ||
	die "$kdir is not a configured kernel build tree; name one by KDIR="
[ -z "$clean" ] || exit 0

release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null || :)
supported=$(sed -n 's/^\([0-9][0-9.]*\) .*/\1/p' "$(dirname "$0")/kernel/versions")
newest=$(printf '%s\n' "$supported" | head -n 1)
series=$(printf '%s\n' "$release" | sed -n 's/^\([0-9]*\.[0-9]*\).*/\1/p')
if ! printf '%s\n' "$supported" | grep -qxF "${series:-none}"; then
	last=$(printf '%s\n' "$newest" "${series:-0}" | sort -V | tail -n 1)
	[ "$last" != "$newest" ] ||
		die "$kdir is Linux ${release:-of unknown version}; the driver is for $(printf '%s\n' "$supported" | paste -sd , -)"
	printf 'rust_gpu_ttm: warning: %s is Linux %s, newer than the %s that the driver is known to work with; trying it\n' \
		"$kdir" "$release" "$newest" >&2
fi
has CONFIG_RUST=y ||
	die "$kdir is built without CONFIG_RUST=y"
has CONFIG_DRM=y ||
	die "$kdir is built without CONFIG_DRM=y (built in: Rust drivers need that)"
# Each has no prompt, and comes with a driver or a test that selects it.
for need in DRM_TTM:DRM_QXL DRM_SCHED:DRM_SCHED_KUNIT_TEST GPU_BUDDY:GPU_BUDDY_KUNIT_TEST \
	RUST_DRM_GPUVM:DRM_TYR DRM_GPUSVM:DRM_XE; do
	option=CONFIG_${need%:*}
	grep -qE "^$option=[ym]\$" "$conf" ||
		die "$kdir is built without $option; what selects it, such as ${need#*:}, brings it"
done
[ -f "$kdir/Module.symvers" ] ||
	die "$kdir has no Module.symvers: build that kernel first"

hint='the toolchain root has the tools the guests are built with: tools/root.sh exec make modules KDIR='"$kdir"
RUSTC=${RUSTC:-rustc} BINDGEN=${BINDGEN:-bindgen}
for tool in "$RUSTC" "$BINDGEN"; do
	command -v "$tool" >/dev/null ||
		die "$tool is missing here; $hint"
done
if has CONFIG_CC_IS_CLANG=y; then
	CC=clang
else
	CC=${CC:-gcc}
fi
command -v "$CC" >/dev/null || die "$CC, which built $kdir, is missing here; $hint"

# The kernel knows what is too old for it.
check=$kdir/scripts/rust_is_available.sh
[ -f "$check" ] || check=$kdir/source/scripts/rust_is_available.sh
if [ -f "$check" ]; then
	export RUSTC BINDGEN CC
	MAKE=make HOSTCC=$CC sh "$check" >/dev/null || die "the tools here are not good enough for $kdir; $hint"
fi

# Compiled Rust is only good for the compiler that made it.
built=$(value CONFIG_RUSTC_VERSION_TEXT)
here=$("$RUSTC" --version)
[ -z "$built" ] || [ "$built" = "$here" ] ||
	die "$kdir is built by $built, and here is $here; $hint"
