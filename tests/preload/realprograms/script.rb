# Hashes, strings, a sort, threads and regular expressions under ruby.
def work(state)
  rows = {}
  30_000.times do |i|
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    rows["key#{state}"] = ['xy' * (state % 40), i]
  end
  text = rows.sort.flatten.join(',')
  [rows.size, text.size, text.scan(/xy(\d)/).size, text.sum(32)].join(' ')
end

puts work(1)
puts [2, 3].map { |seed| Thread.new { work(seed) } }.map(&:value)
GC.start
puts work(4)
