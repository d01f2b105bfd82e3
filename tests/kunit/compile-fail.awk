# SPDX-License-Identifier: GPL-2.0
#
# Whether the compiler rejected each example that must not compile, for the
# reason that it names, and nothing else:
#
#	awk -f compile-fail.awk EXAMPLES ERRORS
#
# EXAMPLES is what doctests.awk made, ERRORS what the compiler said of it with
# --error-format=short.

function complain(text) {
	print text >"/dev/stderr"
	failed = 1
}

# Examples begin with a comment: their place, and the errors.
FNR == NR {
	if ($1 == "//" && $2 ~ /:[0-9]+$/) {
		count++
		first[count] = FNR
		place[count] = $2
		for (i = 3; i <= NF; i++)
			wanted[count] = wanted[count] " " $i
	}
	next
}

match($0, /: error(\[E[0-9]+\])?:/) {
	code = substr($0, RSTART + 8, RLENGTH - 10)
	at = $0
	sub(/: error.*/, "", at)
	split(at, parts, ":")
	example = 0
	if (parts[1] ~ /compile_fail_generated\.rs$/)
		for (i = 1; i <= count && first[i] <= parts[2] + 0; i++)
			example = i
	if (!example)
		complain("not of an example: " $0)
	else if (index(wanted[example] " ", " " code " "))
		seen[example, code] = 1
	else
		complain(place[example] ": another error than" wanted[example] ": " $0)
}

END {
	for (i = 1; i <= count; i++) {
		codes = split(wanted[i], list, " ")
		for (j = 1; j <= codes; j++)
			if (!((i, list[j]) in seen))
				complain(place[i] ": compiles without " list[j])
	}
	exit failed
}
