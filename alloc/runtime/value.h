// value.h: the text of a variable of the environment.
#ifndef MOUND_VALUE_H
#define MOUND_VALUE_H

#include "base/compiler.h"

// value_complain writes one line to descriptor 2 that says which values are allowed
// instead; value_complain_why one that says why the value is wrong.
void value_complain(const char *name, const char *value, const char *allowed);
void value_complain_why(const char *name, const char *value, const char *why);

// value_number reads a decimal number and returns the text after it in *ret_rest; false:
// there is none, or it is too large.
bool value_number(const char *text, uint64_t *ret, const char **ret_rest);

// value_is_path: a path has a slash, a dot or a percent sign. Any other word is more
// likely an attempt to switch something on than a file name.
bool value_is_path(const char *value);

// Lists with commas: value_word returns the length of the first word of text, and
// value_word_is says whether the first n bytes of text are word.
size_t value_word(const char *text);
bool value_word_is(const char *text, size_t n, const char *word);

#endif // MOUND_VALUE_H
