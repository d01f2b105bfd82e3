#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Make the toolchain root (a Debian 13 tree with backports) if its inputs
# changed, build the xtask in it and hand the arguments over:
#
#	tools/root.sh TASK [ARGUMENT...]
#	tools/root.sh exec COMMAND [ARGUMENT...]
#
# The second form runs a command of the root's instead. Everything that is more
# than making and entering the root is in tools/xtask.
set -eu

# chroot is a program for root, and others may not have its folder in their path.
export PATH="$PATH:/usr/sbin:/sbin"

src=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cache=${RGT_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/rust_gpu_ttm}
need_gib=12

die() {
	printf 'rust_gpu_ttm: %s\n' "$*" >&2
	exit 1
}

# The package list without its comments: names, and sources from backports.
packages() {
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$src/tools/packages"
}

# The arguments that the root is made by, one a line, apart from where its packages
# come from. "$1" is mmdebstrap's word for the root.
recipe() {
	sources=$(packages | awk 'NF > 1 { print "src:" $2 ":any" }' | sort -u | paste -sd ' ' -)
	pin="Package: src:linux:any $sources\\nPin: release n=trixie-backports\\nPin-Priority: 990\\n"
	cat <<-END
		--mode=root
		--variant=minbase
		--include=$(packages | awk '{ print $1 }' | sort | paste -sd , -)
		--skip=output/dev
		--skip=check/empty
		--setup-hook=mkdir -p "\$1/etc/apt/preferences.d"
		--setup-hook=printf '$pin' >"\$1/etc/apt/preferences.d/backports"
		--aptopt=Acquire::Retries "5"
		--dpkgopt=path-exclude=/usr/share/doc/*
		--dpkgopt=path-exclude=/usr/share/locale/*
		--dpkgopt=path-exclude=/usr/share/man/*
	END
}

# The repository this machine's own apt uses for Debian itself.
mirror() {
	if [ -n "${RGT_MIRROR:-}" ]; then
		printf '%s\n' "$RGT_MIRROR"
		return
	fi
	command -v apt-get >/dev/null ||
		die "no apt here to take the Debian mirror from; set RGT_MIRROR to a mirror's address"
	# The formats are apt's, not the shell's.
	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	if [ -z "$uri" ]; then
		# Lists that were never fetched carry no origin yet.
		# shellcheck disable=SC2016
		uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
			2>/dev/null | grep -E '/debian/?$' | head -n 1)
	fi
	[ -n "$uri" ] ||
		die "apt names no Debian mirror; set RGT_MIRROR to a mirror's address"
	printf '%s\n' "$uri"
}

# Which of the listed packages the root "$1" lacks.
lacks() {
	packages | while read -r package _; do
		[ -e "$1/var/lib/dpkg/info/$package.list" ] ||
			[ -e "$1/var/lib/dpkg/info/$package:amd64.list" ] ||
			printf ' %s' "$package"
	done
}

# When none can be made, a root of another recipe does if it has all that is
# listed. Take it, or say what the cached ones lack.
stand_in() {
	lacking=
	for old in "$cache"/root-*; do
		[ -e "$old/.in-use" ] || continue
		lacking=$(lacks "$old")
		if [ -z "$lacking" ]; then
			root=$old
			return
		fi
	done
	return 1
}

# Become "$@" as root of its own mount namespace; without privilege, of a user
# namespace that owns the caller's subordinate ids.
become() {
	if [ "$(id -u)" = 0 ]; then
		exec unshare --mount --propagation private -- "$@"
	fi
	exec unshare --user --map-root-user --map-auto --mount --propagation private -- "$@"
}

privileged() (
	become "$@"
)

remove() {
	privileged rm -rf --one-file-system -- "$1"
}

install_mmdebstrap() {
	command -v mmdebstrap >/dev/null && return
	if [ "$(id -u)" != 0 ]; then
		die "mmdebstrap is missing; ask root for: apt-get install mmdebstrap uidmap"
	fi
	command -v apt-get >/dev/null ||
		die "mmdebstrap is missing and there is no apt to install it with"
	printf '  installing mmdebstrap\n'
	{
		apt-get update && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y --no-install-recommends mmdebstrap
	} </dev/null >"$cache/log/mmdebstrap.log" 2>&1 || {
		tail -n 20 "$cache/log/mmdebstrap.log" >&2
		die "cannot install mmdebstrap; the log is $cache/log/mmdebstrap.log"
	}
}

# Without privilege the namespace must be allowed and have ids to hand out.
check_namespace() {
	privileged true 2>"$cache/log/unshare.log" && return
	cat "$cache/log/unshare.log" >&2
	[ "$(id -u)" != 0 ] || die "mount namespaces are not allowed here"
	die "no user namespace with subordinate ids here: run as root, or have root install uidmap, add this user to /etc/subuid and /etc/subgid, and allow unprivileged user namespaces"
}

check_space() {
	free=$(df -Pk "$cache" | awk 'NR == 2 { print int($4 / 1048576) }')
	[ "$free" -ge "$need_gib" ] ||
		die "$cache has $free GiB free and needs $need_gib; make room or set XDG_CACHE_HOME"
}

# Wait for the process $pid, and show that it lives and what it is at.
follow() {
	told=0
	while kill -0 "$pid" 2>/dev/null; do
		seconds=$(($(date +%s) - start))
		at=$(sed -n 's/^I: //p' "$log" | tail -n 1 | cut -c1-40)
		if [ -t 1 ]; then
			printf '\r  toolchain root: %d s, %-40s' "$seconds" "$at"
		elif [ $((seconds - told)) -ge 30 ]; then
			told=$seconds
			printf '  toolchain root: %d s, %s\n' "$seconds" "$at"
		fi
		sleep 1
	done
	[ ! -t 1 ] || printf '\r%70s\r' ''
	wait "$pid"
}

make_root() {
	tmp=$root.new
	log=$cache/log/root.log
	: >"$log"
	uri=$(mirror)
	install_mmdebstrap
	remove "$tmp"

	proxy=$(apt-config dump --format '%f %v%n' Acquire::http::Proxy 2>/dev/null |
		awk 'NF == 2 { print $2; exit }')
	set --
	while IFS= read -r argument; do
		set -- "$@" "$argument"
	done <<-END
		$(recipe)
	END
	[ -z "$proxy" ] || set -- "$@" --aptopt="Acquire::http::Proxy \"$proxy\""

	start=$(date +%s)
	# All that it starts ends with it, by the namespace of processes.
	become unshare --pid --fork --kill-child -- mmdebstrap "$@" trixie "$tmp" \
		"deb $uri trixie main" "deb $uri trixie-updates main" \
		"deb $uri trixie-backports main" </dev/null >"$log" 2>&1 &
	pid=$!
	trap 'interrupted' INT TERM HUP
	if ! follow; then
		trap - INT TERM HUP
		remove "$tmp"
		if stand_in; then
			printf '  toolchain root: %s does not give one; going on with the cached %s\n' \
				"$uri" "${root##*/}"
			return
		fi
		tail -n 20 "$log" >&2
		[ -z "$lacking" ] || lacking=", and the cached one lacks$lacking"
		die "cannot make the toolchain root from $uri$lacking. Does that mirror answer? RGT_MIRROR names another; the log is $log"
	fi
	trap - INT TERM HUP

	# Files of the host's are bound over these when the root is entered.
	# shellcheck disable=SC2016
	privileged sh -euc '
		for file in etc/resolv.conf etc/ssl/certs/ca-certificates.crt; do
			rm -f "$1/$file"
			: >"$1/$file"
		done
		: >"$1/.in-use"' sh "$tmp"
	mv "$tmp" "$root"
	printf '  toolchain root: %d s, done\n' $(($(date +%s) - start))
}

# Those that still run in an old root hold its lock.
remove_old_roots() {
	for old in "$cache"/root-*; do
		if [ -d "$old" ] && [ "$old" != "$root" ] &&
			{ [ ! -e "$old/.in-use" ] || flock -n "$old/.in-use" true; }; then
			remove "$old"
		fi
	done
}

# Each checkout has a folder of its own for what cargo builds: cargo knows a crate
# by its path in the workspace and takes it for current by the times of files, and
# so takes what another checkout has built for this one's.
prepare_target() {
	target=$cache/target/$(printf '%s\n' "$src" | sha256sum | cut -c1-12)
	mkdir -p "$target"
	printf '%s\n' "$src" >"$target/checkout"
	for checkout in "$cache"/target/*/checkout; do
		[ -d "$(cat "$checkout")" ] || remove "${checkout%/checkout}"
	done
}

interrupted() {
	trap '' INT TERM HUP
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
	sleep 1
	remove "$tmp"
	printf '\n'
	die "interrupted; the next run starts the root again"
}

# Inside the namespace: bind what the work needs and change into the root. The
# checkout and the cache keep their paths, so that a message names the same
# file inside and outside.
# shellcheck disable=SC2016
enter='
root=$1 src=$2 cache=$3 target=$4 ksrc=$5 trees=$6
shift 6
for dir in /proc /sys /dev /tmp; do
	mount --rbind "$dir" "$root$dir"
done
for dir in ${KDIR:-} $trees; do
	sources="${sources:-} $(readlink -f "$dir/source" || :)"
done
# Sources of kernels are only read, but by what puts the driver into one.
is_read_only() {
	[ "$1" != "$src" ] && [ "$1" != "$cache" ] || return
	case " ${KSRC:-} " in
	*" $1 "*) [ "$ksrc" = ro ] ;;
	*) case " $trees " in
		*" $1 "*) [ ! -e "$1/include/config/auto.conf" ] ;;
		*) false ;;
		esac ;;
	esac
}
# Any of them may lie in another, which in this order comes before it.
printf "%s\n" "$src" "$cache" ${KDIR:-} ${KSRC:-} $trees ${sources:-} | LC_ALL=C sort -u |
	while read -r dir; do
		[ -d "$dir" ] || continue
		mkdir -p "$root$dir"
		mount --bind "$dir" "$root$dir"
		! is_read_only "$dir" || mount -o remount,bind,ro "$root$dir"
	done
# A registry may sit behind a proxy whose authority only the host knows.
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
	[ ! -e "$file" ] || mount --bind "$(readlink -f "$file")" "$root$file"
done
exec chroot "$root" /usr/bin/env -i -C "$src" \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$cache/home" LANG=C.UTF-8 \
	TERM="${TERM:-dumb}" RGT_CACHE="$cache" RGT_SRC="$src" \
	CARGO_HOME="$cache/cargo" CARGO_TARGET_DIR="$target" \
	${KDIR:+KDIR="$KDIR"} ${KSRC:+KSRC="$KSRC"} ${CI:+CI="$CI"} \
	${RGT_ACCEL:+RGT_ACCEL="$RGT_ACCEL"} \
	${TEST:+TEST="$TEST"} ${FAILFAST:+FAILFAST="$FAILFAST"} \
	${KERNEL:+KERNEL="$KERNEL"} ${APPEND:+APPEND="$APPEND"} \
	${http_proxy:+http_proxy="$http_proxy"} \
	${https_proxy:+https_proxy="$https_proxy"} \
	"$@"
'

# Inside the root: build the xtask and become it. It is opened under a lock, as
# another checkout that shares the cache may put its own in its place.
# shellcheck disable=SC2016
xtask='
log=$RGT_CACHE/log/xtask.log
program=$CARGO_TARGET_DIR/release/xtask
exec 9>>"$RGT_CACHE/lock/xtask"
flock 9
[ -e "$program" ] || echo "  xtask: build" >&2
# All crates are fetched at once, so that what is done later needs no registry.
cargo fetch --quiet --locked 2>"$log" || {
	tail -n 1 "$log" >&2
	echo "  crates: not all can be fetched; going on with those that are cached" >&2
}
export CARGO_NET_OFFLINE=true
cargo build --quiet --locked --release -p xtask 2>"$log" || {
	cat "$log" >&2
	exit 1
}
exec 7<"$program" 9>&-
exec /proc/self/fd/7 "$@"
'

mkdir -p "$cache/log" "$cache/lock" "$cache/home" 2>/dev/null ||
	die "cannot write $cache; set XDG_CACHE_HOME to a folder of yours"
cache=$(CDPATH='' cd -- "$cache" && pwd -P)
case $src$cache in
*[[:space:]:%]*) die "the kernel's build takes no blank, colon or percent sign in a path: $src, $cache" ;;
esac
[ -w "$cache/lock" ] || die "cannot write $cache; set XDG_CACHE_HOME to a folder of yours"
if [ -n "${KDIR:-}" ]; then
	KDIR=$(CDPATH='' cd -- "$KDIR" 2>/dev/null && pwd -P) || die "KDIR: there is no such folder"
fi
if [ -n "${KSRC:-}" ]; then
	KSRC=$(CDPATH='' cd -- "$KSRC" 2>/dev/null && pwd -P) || die "KSRC: there is no such folder"
fi
case ${KDIR:-}${KSRC:-} in
*[[:space:]:%]*) die "the kernel's build takes no blank, colon or percent sign in a path: ${KSRC:-$KDIR}" ;;
esac
# The folders among the two trees that compare takes, by their whole paths. What
# is no folder is a commit, which the task finds.
trees=
whole_path() {
	if [ -d "$1" ]; then
		(CDPATH='' cd -- "$1" && pwd -P)
	else
		printf '%s\n' "$1"
	fi
}
if [ "${1:-}" = compare ]; then
	runs=
	case ${2:-} in --runs=*)
		runs=$2
		shift
		;;
	esac
	if [ -z "${2:-}" ] || [ -z "${3:-}" ]; then
		die "make compare: A= and B= have to name a kernel source or build, or . and a commit"
	fi
	a=$(whole_path "$2") b=$(whole_path "$3")
	shift 3
	for tree in "$a" "$b"; do
		[ -d "$tree" ] || continue
		case $tree in
		*[[:space:]:%]*) die "the kernel's build takes no blank, colon or percent sign in a path: $tree" ;;
		esac
		trees="$trees $tree"
	done
	set -- compare ${runs:+"$runs"} "$a" "$b" "$@"
fi
key=$(recipe | sha256sum | cut -c1-12)
root=$cache/root-$key

check_namespace
exec 9>>"$cache/lock/root"
if ! flock -w 2 9; then
	printf '  another run is making the toolchain root; waiting for it\n'
	flock 9
fi
if [ ! -d "$root" ]; then
	check_space
	make_root
fi
exec 8<"$root/.in-use"
flock -s 8
remove_old_roots
prepare_target
exec 9>&-

[ $# -gt 0 ] || exit 0
# Only the task that puts the driver into a kernel source tree writes to one.
ksrc=ro
[ "$1" != intree ] || ksrc=rw
if [ "$1" = exec ]; then
	shift
else
	set -- sh -euc "$xtask" xtask "$@"
fi
become sh -euc "$enter" enter "$root" "$src" "$cache" "$target" "$ksrc" "$trees" "$@"
