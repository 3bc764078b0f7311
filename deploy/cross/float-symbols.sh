#!/usr/bin/env bash
# Prints every sign of floating-point code in objects: symbol, object and function.
#
#   deploy/cross/float-symbols.sh NM OBJECT...    exit 0: none, 1: some, 2: could not look
#
# Looks for three kinds: compiler helpers for float arithmetic (ARM run-time ABI, libgcc), libc and libm entry
# points that take or return floats, and demangled signatures that mention float or double. On a soft-float
# target any float arithmetic left in an object needs one of the first kind. Not seen: constants folded by the
# compiler and plain copies. Objects must not be built with -flto.
set -uo pipefail
nm=$1
shift
command -v "$nm" >/dev/null || { echo "$0: no program '$nm'" >&2; exit 2; }
[ $# -gt 0 ] || { echo "$0: no objects given" >&2; exit 2; }

arm='__aeabi_(c[df]r?cmp(eq|le)|[df](cmp(eq|lt|le|ge|gt|un)|add|sub|rsub|mul|div|neg)'
arm+='|[df]2(iz|uiz|lz|ulz)|d2f|f2d|(i|ui|l|ul)2[df]|[dfh]2[hf](_alt)?)'
gcc='__(add|sub|mul|div)([hstxk]f|df|[sdtx]c)3|__(neg|cmp|unord|eq|ne|lt|le|gt|ge|powi)([stx]f|df)2'
gcc+='|__(extend|trunc)[hsdtx]f[hsdtx]f2|__fix(uns)?[hsdtx]f(si|di|ti)|__float(un)?(si|di|ti)[hsdtx]f'
gcc+='|__gnu_[dfh]2[dfh]_(ieee|alternative)'
libc='strto(f|d|ld)(_l)?|wcsto(f|d|ld)|__strto(f|d|ld)_(internal|l)|atof|difftime|[dej]rand48'
libc+='|strfrom[dfl]|[efg]cvt(_r)?|__(isnan|isinf|finite|signbit|fpclassify)[fl]?'
libm='a?(sin|cos|tan)h?[fl]?|atan2[fl]?|exp(2|10|m1)?[fl]?|log(2|10|1p|b)?[fl]?|pow[fl]?|sqrt[fl]?'
libm+='|cbrt[fl]?|hypot[fl]?|(ceil|floor|trunc|l?l?round|l?l?rint|nearbyint|fabs|fmod|remainder|remquo)[fl]?'
libm+='|(fdim|fmax|fmin|fma|copysign|nextafter|nexttoward|ldexp|frexp|modf|scalbl?n|ilogb)[fl]?'
libm+='|(erfc?|l?t?gamma|j[01n]|y[01n])[fl]?|(is(nan|inf|finite|normal)|finite)[fl]?'

listing=$(mktemp) needed=$(mktemp) found=$(mktemp)
trap 'rm -f "$listing" "$needed" "$found"' EXIT
"$nm" -A -P "$@" >"$listing" 2>/dev/null || { echo "$0: $nm failed" >&2; exit 2; }
[ -s "$listing" ] || { echo "$0: no symbols at all in $*" >&2; exit 2; }
awk -v pattern="^($arm|$gcc|$libc|$libm)(@.*)?$" '
  { file = $1; sub(/:$/, "", file) }
  $3 == "U" && $2 ~ pattern { print $2, file }' "$listing" | sort -u >"$needed"
while read -r symbol file; do
  # The relocation against the symbol stands in the function that needs it.
  "${nm%nm}objdump" -d -r -C "$file" | awk -v symbol="${symbol%@*}" -v file="$file" '
    /^[0-9a-f]+ </ { name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name); next }
    / R_[A-Z0-9_]+/ { target = $NF; sub(/[-+@].*/, "", target); if (target == symbol) users[name] = 1 }
    END {
      for (name in users) { print "uses " symbol " in " file ", function " name; seen = 1 }
      if (!seen) print "uses " symbol " in " file
    }' | sort
done <"$needed" >"$found"
awk '{ file = $1; sub(/:$/, "", file); print $2, file }' "$listing" | c++filt | grep -Ew 'float|double' |
  grep -v 'std::numeric_limits<' | sort -u | sed 's/^/has the signature /' >>"$found"
cat "$found"
[ ! -s "$found" ]
