<?php
// Arrays, strings, a sort, serialisation and regular expressions under php.
$state = 1;
$rows = [];
for ($i = 0; $i < 120000; $i++) {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    $rows["key$state"] = ['i' => $i, 'text' => str_repeat('xy', $state % 40)];
}
ksort($rows);
$text = serialize($rows);
$again = unserialize($text);
echo count($again), ' ', strlen($text), ' ', md5($text), "\n";
echo preg_match_all('/key(\d+)7"/', $text, $found), "\n";
echo strlen(json_encode(array_map(fn($r) => strrev($r['text']), $rows))), "\n";
echo strlen(preg_replace_callback('/(xy)+/', fn($m) => strlen($m[0]), $text)),
    "\n";
