# Subshells, pipes, substitutions, arrays and a here-document under bash.
set -u
declare -A seen
for i in $(seq 1 3000); do
    seen["key$((i * 7919 % 1009))"]+="$i,"
done
echo "${#seen[@]}"
text=$(for key in "${!seen[@]}"; do echo "$key ${seen[$key]}"; done | sort)
echo "${#text}" "$(echo "$text" | cksum)"
(
    for i in 1 2 3 4 5; do
        (x=$(printf '%*s' $((i * 10000)) ''); echo "$i ${#x}")
    done
)
for i in $(seq 1 40); do y=$(echo "$i" | tr 1 2); done
echo "$y"
while read -r a b; do echo "${b^^} ${a//[a-m]/_}"; done <<END
hello world
several words
END
trap 'echo done' EXIT
exec 3< <(echo from a process)
cat <&3
exit 7
