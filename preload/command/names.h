// names.h: names of functions as people write them.
#ifndef MOUND_COMMAND_NAMES_H
#define MOUND_COMMAND_NAMES_H

// names_readable returns a readable name for the function of a symbol, to be freed by
// free: C++ and Rust names without parameters and without template arguments that are
// defaults or too long; parts and copies of a function that the compiler made have its
// name. C++ names need libstdc++.so.6, which is loaded if it is installed. The symbol may
// be any text.
char *names_readable(const char *symbol);

#endif // MOUND_COMMAND_NAMES_H
