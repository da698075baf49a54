// verb.h: the verbs of the command, one file each: verb_NAME.c. main.c has their table.
//
// A verb has its own main function, whose argv[0] is "mound NAME". It parses its options
// by argp, which handles --help and exits with VERB_UNUSABLE after complaints. It prints
// its own complaints by message.h and returns one of
#ifndef MOUND_COMMAND_VERB_H
#define MOUND_COMMAND_VERB_H

enum {
    VERB_DONE = 0,
    VERB_NO = 1,       // a negative result: it grew, is wrong, or there is none
    VERB_UNUSABLE = 2, // wrong usage, or it could not be done
};

struct verb {
    const char *question; // the one that it is the first verb for, or NULL
    const char *name;
    const char *alias; // or NULL
    const char *arguments;
    const char *help; // one line, no full stop
    int (*run)(int argc, char **argv);
};

int verb_check(int argc, char **argv);
int verb_clean(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_diff(int argc, char **argv);
int verb_profile(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_ps(int argc, char **argv);
int verb_record(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_top(int argc, char **argv);

#endif // MOUND_COMMAND_VERB_H
