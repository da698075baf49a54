# Counts, strings and a sort of its own under awk.
{
    count[$1]++
    text[$1] = text[$1] "," $3
    for (i = 1; i <= NF; i++) words[substr($i, 1, 3)]++
}
END {
    for (key in count) total += length(text[key]) * count[key]
    for (word in words) if (words[word] > 20) frequent++
    print NR, total, frequent
    line = sprintf("%5000s", "x")
    while (length(line) < 2000000) line = line line
    gsub(/ /, "yz", line)
    print length(line), toupper(substr(line, 1, 10))
}
