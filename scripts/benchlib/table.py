# table.py: columns of text.


class Columns:
    """Columns of fixed widths; the first `left` ones are left-aligned."""

    def __init__(self, widths, left=1):
        self._widths = widths
        self._left = left

    def print(self, cells):
        padded = [cell.ljust(width) if i < self._left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, self._widths))]
        print('  '.join(padded).rstrip())

    def rule(self):
        print('-' * (sum(self._widths) + 2 * (len(self._widths) - 1)))


def print_table(rows, left=1):
    """Prints rows of cells in columns of the needed widths; None is a rule."""
    ncolumns = max(len(row) for row in rows if row)
    columns = Columns(
        [max(len(row[i]) for row in rows if row and i < len(row))
         for i in range(ncolumns)], left)
    for row in rows:
        if row is None:
            columns.rule()
        else:
            columns.print(row)
