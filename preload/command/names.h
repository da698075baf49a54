// names.h: names of functions as people write them.
#ifndef MOUND_COMMAND_NAMES_H
#define MOUND_COMMAND_NAMES_H

// names_readable returns what to call the function of a symbol, to be freed by free:
// C++ and Rust without parameters, without default arguments of templates and those
// that are too long to read; parts and copies that the compiler made of a function
// have its name. C++ needs libstdc++.so.6 for that, which is loaded when it is there.
// The symbol may be any text.
char *names_readable(const char *symbol);

#endif // MOUND_COMMAND_NAMES_H
