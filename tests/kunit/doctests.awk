# SPDX-License-Identifier: GPL-2.0
#
# The examples in the documentation of Rust sources, as a KUnit suite, or as
# functions that must not compile:
#
#	awk -v root=PREFIX [-v fail=1] -f doctests.awk FILE...
#
# PREFIX is taken off the names of the files. An example that is to fail says
# with which errors: "compile_fail,E0277". What is no example is "text".

function complain(what) {
	printf "%s: %s\n", place, what >"/dev/stderr"
	failed = 1
	exit
}

function begin(info, words, count, i) {
	name = file
	sub(/^rust\//, "", name)
	sub(/(\/mod)?\.rs$/, "", name)
	gsub(/[^a-z0-9]/, "_", name)
	place = file ":" FNR
	kind = "run"
	errors = ""
	count = split(info, words, ",")
	for (i = 1; i <= count; i++) {
		if (words[i] == "compile_fail")
			kind = "fail"
		else if (words[i] ~ /^E[0-9]+$/)
			errors = errors " " words[i]
		else if (words[i] == "text")
			kind = "none"
		else if (words[i] != "rust")
			complain("cannot do this with an example: " words[i])
	}
	if (kind == "fail" && errors == "")
		complain("name the error of the example")
	body = ""
	last = ""
}

function finish(number) {
	if (kind != (fail ? "fail" : "run"))
		return
	number = numbers[name]++
	name = name "_" number
	printf "    // %s%s\n", place, errors
	if (kind == "run")
		printf "    #[test]\n"
	printf "    fn %s() -> ::kernel::error::Result {\n", name
	if (kind == "run") {
		printf "        ::kernel::kunit::info(::kernel::prelude::fmt!(\n"
		printf "            \"    # %s.location: %s\\n\"\n        ));\n", name, place
	}
	printf "%s", body
	if (last !~ /^ *Ok(::<\(\), Error>)?\(\(\)\)$/)
		print "        Ok(())"
	print "    }\n"
}

BEGIN {
	print "// Made from the documentation of the sources."
	print ""
	if (!fail) {
		print "use ::kernel::prelude::kunit_tests;"
		print ""
		print "#[kunit_tests(rgt_doctests)]"
	}
	print "mod tests {"
}

FNR == 1 {
	inside = 0
	file = FILENAME
	if (index(file, root) == 1)
		file = substr(file, length(root) + 1)
}

!/^[ \t]*\/\/[\/!]/ {
	inside = 0
	next
}

{
	sub(/^[ \t]*\/\/[\/!] ?/, "")
}

/^```/ {
	inside = !inside
	if (inside)
		begin(substr($0, 4))
	else
		finish()
	next
}

inside {
	# Lines that readers do not see.
	if ($0 == "#")
		$0 = ""
	sub(/^ *# /, "")
	sub(/^##/, "#")
	body = body "        " $0 "\n"
	if ($0 != "")
		last = $0
}

END {
	if (failed)
		exit 1
	print "}"
}
