// page_files.h: the files of page/, which page/embed.py compiles into the command. Each
// ends in a 0.
#ifndef MOUND_COMMAND_PAGE_FILES_H
#define MOUND_COMMAND_PAGE_FILES_H

extern const char page_css[];
extern const char tools_js[];
extern const char flame_js[];
extern const char series_js[];
extern const char page_js[];

#endif // MOUND_COMMAND_PAGE_FILES_H
