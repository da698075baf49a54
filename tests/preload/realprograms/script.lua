-- Tables, strings, a sort and coroutines under lua.
local state, rows = 1, {}
for i = 1, 120000 do
    state = (state * 1103515245 + 12345) % 2147483648
    rows[i] = { key = "key" .. state, text = string.rep("xy", state % 40) }
end
table.sort(rows, function(a, b) return a.key < b.key end)
local parts = {}
local walk = coroutine.wrap(function()
    for _, row in ipairs(rows) do coroutine.yield(row.key .. row.text) end
end)
for part in walk do parts[#parts + 1] = part end
local text = table.concat(parts, "\n")
local _, count = text:gsub("xyxy", "z")
print(#text, count, rows[1].key, rows[#rows].key)
rows, parts = nil, nil
collectgarbage()
print(#text:rep(8))
